// The parts of a dashboard's JSON that are drawn, and what `draw.py` tells about the drawing.
import { DataLink, DataTransformerConfig, FieldConfigSource } from '@grafana/data';

export interface Target {
  refId: string;
  expr: string;
  format: 'time_series' | 'table';
  legendFormat?: string;
  range?: boolean;
  instant?: boolean;
}

export interface Panel {
  id: number;
  type: 'row' | 'stat' | 'bargauge' | 'table' | 'timeseries' | 'state-timeline';
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  transformations?: DataTransformerConfig[];
  fieldConfig: FieldConfigSource;
  // The options of every kind of panel, as its plugin's schema has them.
  options: Record<string, any>;
  links?: DataLink[];
  interval?: string;
  maxDataPoints?: number;
}

export interface Annotation {
  name: string;
  expr: string;
  iconColor: string;
  useValueForTime: boolean;
}

export interface Variable {
  name: string;
  label?: string;
  type: 'datasource' | 'query' | 'constant';
  query: string;
  hide?: number;
}

export interface Dashboard {
  uid: string;
  title: string;
  tags: string[];
  time: { from: string; to: string };
  links: Array<{ title: string; icon: string }>;
  panels: Panel[];
  annotations: { list: Annotation[] };
  templating: { list: Variable[] };
}

export interface Settings {
  dashboard: Dashboard;
  theme: 'dark' | 'light';
  /** End of the time range, Unix milliseconds. */
  now: number;
  /** Milliseconds between two scrapes: the data source's setting that `$__rate_interval` follows. */
  scrapeInterval: number;
}

/** What became of a panel: `draw.py` refuses all but `drawn`. */
export type Outcome = 'drawn' | 'empty' | `failed: ${string}`;

declare global {
  interface Window {
    outcomes: Record<string, Outcome>;
    cut: () => string[];
  }
}
