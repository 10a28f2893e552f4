// Bands of states over time. The one kind of panel that Grafana publishes no component for: it lives in the plugin.
import { dateTimeFormat, Field, getDisplayProcessor, getFieldDisplayName } from '@grafana/data';
import { measureText } from '@grafana/ui';
import { ReactElement } from 'react';

import { Drawing } from './panels';

const AXIS = 24;
const LEGEND = 26;
const FONT_SIZE = 12;

interface Band {
  from: number;
  to: number;
  color: string;
  text: string;
}

export function Timeline({ panel, frames, range, theme, width, height }: Drawing): ReactElement {
  const from = range.from.valueOf();
  const to = range.to.valueOf();
  const rowHeight = (height - AXIS - LEGEND) / frames.length;
  const rows = frames.map((frame) => {
    const [time, value] = frame.fields;
    return { name: getFieldDisplayName(value, frame, frames), bands: bandsOf(time, value, theme, to) };
  });
  const left = Math.max(...rows.map(({ name }) => measureText(name, FONT_SIZE).width)) + 16;
  const x = (time: number) => left + ((time - from) / (to - from)) * (width - left);
  const states = new Map(rows.flatMap(({ bands }) => bands.map(({ text, color }) => [text, color])));
  const barHeight = rowHeight * panel.options.rowHeight;
  const text = { fill: theme.colors.text.secondary, fontSize: FONT_SIZE };
  return (
    <div>
      <svg width={width} height={height - LEGEND} style={{ display: 'block' }}>
        {ticks(from, to).map((tick) => (
          <g key={tick}>
            <line x1={x(tick)} x2={x(tick)} y1={0} y2={height - LEGEND - AXIS} stroke={theme.colors.border.weak} />
            <text x={x(tick)} y={height - LEGEND - 7} textAnchor="middle" {...text}>
              {dateTimeFormat(tick, { format: 'MM/DD', timeZone: 'utc' })}
            </text>
          </g>
        ))}
        {rows.map(({ name, bands }, index) => (
          <g key={name} transform={`translate(0, ${index * rowHeight + (rowHeight - barHeight) / 2})`}>
            <text x={left - 8} y={barHeight / 2 + 4} textAnchor="end" {...text} fill={theme.colors.text.primary}>
              {name}
            </text>
            {bands.map((band) => (
              <rect
                key={band.from}
                x={x(band.from)}
                width={Math.max(1, x(band.to) - x(band.from))}
                height={barHeight}
                fill={band.color}
                fillOpacity={panel.fieldConfig.defaults.custom.fillOpacity / 100}
              />
            ))}
          </g>
        ))}
      </svg>
      <div style={{ display: 'flex', gap: 16, height: LEGEND, alignItems: 'center', fontSize: FONT_SIZE }}>
        {[...states].map(([name, color]) => (
          <span key={name} style={{ display: 'flex', gap: 6, alignItems: 'center' }}>
            <span style={{ width: 14, height: 4, borderRadius: 2, background: color }} />
            {name}
          </span>
        ))}
      </div>
    </div>
  );
}

/** One band for each stretch of equal values; a stretch ends where a step has no value. */
function bandsOf(time: Field, value: Field, theme: Drawing['theme'], end: number): Band[] {
  const display = value.display ?? getDisplayProcessor({ field: value, theme });
  const step = time.config.interval ?? 0;
  const bands: Band[] = [];
  let previous: Band | undefined;
  time.values.forEach((at: number, index: number) => {
    const { text, color = '' } = display(value.values[index]);
    const to = Math.min(at + step, end);
    if (previous && previous.text === text && at <= previous.to + 1) {
      previous.to = to;
    } else {
      previous = { from: at, to, color, text };
      bands.push(previous);
    }
  });
  return bands;
}

function ticks(from: number, to: number): number[] {
  const day = 86_400_000;
  const first = Math.ceil(from / day) * day;
  return Array.from({ length: Math.floor((to - first) / day) + 1 }, (_, index) => first + index * day);
}
