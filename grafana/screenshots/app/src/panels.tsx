// Each kind of panel, drawn by Grafana's own component for it. The plugins around those components are not published as
// packages; what stands here is what they do with a panel's options, as far as these dashboards use them.
import {
  DataFrame,
  DisplayValueAlignmentFactors,
  FieldDisplay,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  GrafanaTheme2,
  TimeRange,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, UPlotConfigBuilder, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { ReactElement } from 'react';

import { Panel } from './model';
import { Mark } from './prometheus';
import { Timeline } from './Timeline';

export interface Drawing {
  panel: Panel;
  frames: DataFrame[];
  marks: Mark[];
  range: TimeRange;
  theme: GrafanaTheme2;
  width: number;
  height: number;
}

export const PANELS: Record<Exclude<Panel['type'], 'row'>, (drawing: Drawing) => ReactElement> = {
  stat: Numbers,
  bargauge: Bars,
  table: Table,
  timeseries: Curves,
  'state-timeline': Timeline,
};

function values({ panel, frames, theme }: Drawing, sparkline: boolean): FieldDisplay[] {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: frames,
    sparkline,
    timeZone: 'utc',
  });
}

function Numbers(drawing: Drawing): ReactElement {
  const { panel, theme, width, height } = drawing;
  const { colorMode, graphMode, justifyMode, orientation, text, textMode, wideLayout } = panel.options;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => values(drawing, graphMode !== 'none')}
      getAlignmentFactors={(all) => getDisplayValueAlignmentFactors(all)}
      renderValue={({ value, alignmentFactors, width, height, count }) => (
        <BigValue
          {...{ alignmentFactors, colorMode, count, graphMode, height, justifyMode, text, textMode, theme, width }}
          disableWideLayout={!wideLayout}
          value={value.display}
          sparkline={value.sparkline}
        />
      )}
      source={drawing.frames}
      renderCounter={0}
      autoGrid
      {...{ height, width, orientation }}
    />
  );
}

function Bars(drawing: Drawing): ReactElement {
  const { panel, theme, width, height } = drawing;
  const { displayMode, maxVizHeight, minVizHeight, namePlacement, orientation, showUnfilled, text, valueMode } =
    panel.options;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => values(drawing, false)}
      getAlignmentFactors={(all) => getDisplayValueAlignmentFactors(all)}
      renderValue={({ value, alignmentFactors, width, height }) => (
        <BarGauge
          {...{ alignmentFactors, displayMode, height, namePlacement, orientation, showUnfilled, text, theme, width }}
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
          valueDisplayMode={valueMode}
        />
      )}
      source={drawing.frames}
      renderCounter={0}
      itemSpacing={8}
      {...{ height, maxVizHeight, minVizHeight, orientation, width }}
    />
  );
}

function Table({ panel, frames, width, height }: Drawing): ReactElement {
  const { cellHeight, sortBy } = panel.options;
  return (
    <TableNG
      {...{ cellHeight, height, sortBy, width }}
      data={frames[0]}
      fieldConfig={panel.fieldConfig}
      getActions={() => []}
      noValue={panel.fieldConfig.defaults.noValue}
      enableVirtualization={false}
    />
  );
}

function Curves({ panel, frames, marks, range, theme, width, height }: Drawing): ReactElement {
  return (
    <TimeSeries
      {...{ frames, height, theme, width } as { frames: DataFrame[]; height: number; width: number }}
      timeRange={range}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
    >
      {(builder) => <Marks {...{ builder, marks, theme }} />}
    </TimeSeries>
  );
}

/** Annotations, as dashed lines with a foot on the time axis. */
function Marks({ builder, marks, theme }: { builder: UPlotConfigBuilder; marks: Mark[]; theme: GrafanaTheme2 }): null {
  builder.addHook('draw', (plot) => {
    const { ctx } = plot;
    const { left, top, width, height } = plot.bbox;
    ctx.save();
    for (const { time, color } of marks) {
      const x = plot.valToPos(time, 'x', true);
      if (x < left || x > left + width) {
        continue;
      }
      ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(color);
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      const foot = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x - foot, top + height + foot);
      ctx.lineTo(x + foot, top + height + foot);
      ctx.lineTo(x, top + height);
      ctx.fill();
    }
    ctx.restore();
  });
  return null;
}
