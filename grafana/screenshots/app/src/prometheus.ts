// Queries to Prometheus, and their results as the data frames that Grafana's Prometheus data source makes of them.
import {
  createDataFrame,
  DataFrame,
  dateTime,
  Field,
  FieldType,
  rangeUtil,
  RawTimeRange,
  TimeRange,
} from '@grafana/data';

import { Annotation, Panel, Settings, Target } from './model';

type Labels = Record<string, string>;
interface Series {
  metric: Labels;
  value?: [number, string];
  values?: Array<[number, string]>;
}

export function timeRange(settings: Settings): TimeRange {
  const raw: RawTimeRange = settings.dashboard.time;
  const length = rangeUtil.intervalToMs(String(raw.from).replace('now-', ''));
  return { from: dateTime(settings.now - length), to: dateTime(settings.now), raw };
}

export async function framesOf(panel: Panel, width: number, settings: Settings): Promise<DataFrame[]> {
  const range = timeRange(settings);
  const floor = Math.max(settings.scrapeInterval, panel.interval ? rangeUtil.intervalToMs(panel.interval) : 0);
  const step = rangeUtil.calculateInterval(range, panel.maxDataPoints ?? width, rangeUtil.secondsToHms(floor / 1000));
  const targets = panel.targets ?? [];
  const frames = targets.map(async (target) => {
    const expr = interpolated(target.expr, range, step.intervalMs, settings);
    const series = target.range ? await overTime(expr, range, step.intervalMs) : await now(expr, range);
    if (target.format === 'table') {
      return [asTable(series, targets.length > 1 ? `Value #${target.refId}` : 'Value', target.refId)];
    }
    return series.map((one) => asFrame(one, target, step.intervalMs));
  });
  return (await Promise.all(frames)).flat();
}

export interface Mark {
  time: number;
  name: string;
  color: string;
}

export async function marksOf(annotation: Annotation, settings: Settings): Promise<Mark[]> {
  const range = timeRange(settings);
  // Grafana asks for annotations in a hundred steps.
  const step = rangeUtil.calculateInterval(range, 100, '1m').intervalMs;
  const series = await overTime(interpolated(annotation.expr, range, step, settings), range, step);
  const times = series.flatMap(({ values = [] }) =>
    values.map(([time, value]) => (annotation.useValueForTime ? Number(value) : time * 1000))
  );
  return [...new Set(times)]
    .filter((time) => time >= range.from.valueOf() && time <= range.to.valueOf())
    .map((time) => ({ time, name: annotation.name, color: annotation.iconColor }));
}

/** Replace the variables: everything is chosen, and the intervals are as Grafana computes them. */
function interpolated(expr: string, range: TimeRange, step: number, { scrapeInterval, dashboard }: Settings): string {
  const rate = Math.max(step + scrapeInterval, 4 * scrapeInterval);
  const values: Record<string, string> = {
    __interval_ms: `${step}`,
    __interval: `${step}ms`,
    __rate_interval: `${rate}ms`,
    __range: `${range.to.valueOf() - range.from.valueOf()}ms`,
  };
  for (const variable of dashboard.templating.list) {
    values[variable.name] = variable.type === 'query' ? '.*' : variable.query;
  }
  return expr.replace(/\$(\w+)/g, (found, name) => values[name] ?? found);
}

async function now(query: string, range: TimeRange): Promise<Series[]> {
  return ask('query', { query, time: `${range.to.valueOf() / 1000}` });
}

async function overTime(query: string, range: TimeRange, step: number): Promise<Series[]> {
  const aligned = (time: number) => Math.floor(time / step) * (step / 1000);
  return ask('query_range', {
    query,
    start: `${aligned(range.from.valueOf())}`,
    end: `${aligned(range.to.valueOf())}`,
    step: `${step / 1000}`,
  });
}

async function ask(path: string, parameters: Record<string, string>): Promise<Series[]> {
  const response = await fetch(`/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
  const answer = await response.json();
  if (answer.status !== 'success') {
    throw new Error(answer.error);
  }
  return answer.data.result;
}

function asFrame({ metric, value, values }: Series, target: Target, interval: number): DataFrame {
  const samples = values ?? (value ? [value] : []);
  const legend = target.legendFormat ?? '';
  const name = legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? '');
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: samples.map(([time]) => time * 1000), config: { interval } },
      {
        name: 'Value',
        type: FieldType.number,
        values: samples.map(([, sample]) => number(sample)),
        labels: metric,
        config: name === '__auto' ? {} : { displayNameFromDS: name },
      },
    ],
  });
}

/** Prometheus writes infinity its own way. */
function number(sample: string): number {
  return Number(sample.replace('Inf', 'Infinity'));
}

function asTable(series: Series[], valueName: string, refId: string): DataFrame {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const fields: Field[] = labels.map((name) => ({
    name,
    type: FieldType.string,
    config: { filterable: true },
    values: series.map(({ metric }) => metric[name] ?? ''),
  }));
  const samples = series.map(({ value }): [number, string] => value ?? [0, 'NaN']);
  return createDataFrame({
    refId,
    fields: [
      { name: 'Time', type: FieldType.time, config: {}, values: samples.map(([time]) => time * 1000) },
      ...fields,
      { name: valueName, type: FieldType.number, config: {}, values: samples.map(([, sample]) => number(sample)) },
    ],
  });
}
