// The dashboard around its panels: title, links, variables, time range, and the grid.
import { DataFrame, FieldType, GrafanaTheme2 } from '@grafana/data';
import { Icon, PanelChrome, ToolbarButton, useTheme2 } from '@grafana/ui';
import { ReactElement, useEffect, useState } from 'react';

import { prepared } from './fields';
import { Outcome, Panel, Settings } from './model';
import { Drawing, PANELS } from './panels';
import { framesOf, Mark, marksOf, timeRange } from './prometheus';

const MARGIN = 16;
const GAP = 8;
const CELL = 30;

export function Frame({ settings, width }: { settings: Settings; width: number }): ReactElement {
  const { panels } = settings.dashboard;
  const theme = useTheme2();
  const marks = useMarks(settings);
  const column = (width - 2 * MARGIN + GAP) / 24;
  const bottom = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h));
  return (
    <div style={{ width, boxSizing: 'border-box', padding: `0 ${MARGIN}px`, background: theme.colors.background.canvas }}>
      <Head settings={settings} />
      <div style={{ position: 'relative', height: bottom * (CELL + GAP) + GAP }}>
        {panels.map((panel) => {
          const { x, y, w, h } = panel.gridPos;
          const place = { left: x * column, top: y * (CELL + GAP), width: w * column - GAP, height: h * (CELL + GAP) - GAP };
          return (
            <div key={panel.id} style={{ position: 'absolute', ...place }}>
              {panel.type === 'row' ? <Row title={panel.title} /> : marks && <Box {...{ panel, settings, marks, ...place }} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function useMarks(settings: Settings): Mark[] | undefined {
  const [marks, setMarks] = useState<Mark[]>();
  useEffect(() => {
    Promise.all(settings.dashboard.annotations.list.map((one) => marksOf(one, settings))).then((all) => setMarks(all.flat()));
  }, [settings]);
  return marks;
}

function Head({ settings: { dashboard } }: { settings: Settings }): ReactElement {
  const theme = useTheme2();
  const line = { display: 'flex', gap: 8, alignItems: 'center', padding: '8px 0' };
  const from = String(dashboard.time.from).replace('now-', '');
  return (
    <>
      <div style={{ ...line, borderBottom: `1px solid ${theme.colors.border.weak}`, margin: `0 -${MARGIN}px`, padding: `8px ${MARGIN}px` }}>
        <span style={{ color: theme.colors.text.secondary }}>Dashboards</span>
        <Icon name="angle-right" />
        <span style={{ fontWeight: 500, flexGrow: 1 }}>{dashboard.title}</span>
        <ToolbarButton icon="clock-nine" variant="canvas">{`Last ${from.replace('h', ' hours').replace('d', ' days')} UTC`}</ToolbarButton>
        <ToolbarButton icon="sync" variant="canvas">1m</ToolbarButton>
      </div>
      <div style={line}>
        {dashboard.templating.list
          .filter(({ type }) => type !== 'constant')
          .map(({ name, label, type }) => (
            <Choice key={name} label={label ?? name} value={type === 'datasource' ? 'Prometheus' : 'All'} theme={theme} />
          ))}
        <span style={{ flexGrow: 1 }} />
        {dashboard.links.map(({ title }) => (
          <ToolbarButton key={title} icon="apps" variant="canvas">{title}</ToolbarButton>
        ))}
      </div>
    </>
  );
}

function Choice({ label, value, theme }: { label: string; value: string; theme: GrafanaTheme2 }): ReactElement {
  const box = { border: `1px solid ${theme.components.input.borderColor}`, padding: '0 8px', height: 32, lineHeight: '30px', fontSize: 12 };
  return (
    <span style={{ display: 'flex' }}>
      <span style={{ ...box, borderRight: 'none', background: theme.colors.background.primary, fontWeight: 500 }}>{label}</span>
      <span style={{ ...box, background: theme.components.input.background, minWidth: 72, display: 'flex', gap: 8, alignItems: 'center' }}>
        <span style={{ flexGrow: 1 }}>{value}</span>
        <Icon name="angle-down" />
      </span>
    </span>
  );
}

function Row({ title }: { title: string }): ReactElement {
  return (
    <div style={{ display: 'flex', gap: 6, alignItems: 'center', height: '100%', fontWeight: 500 }}>
      <Icon name="angle-down" />
      {title}
    </div>
  );
}

function hasValues({ fields }: DataFrame): boolean {
  return fields.some(({ type, values }) => type === FieldType.number && values.some((value) => value != null && !isNaN(value)));
}

interface BoxProps {
  panel: Panel;
  settings: Settings;
  marks: Mark[];
  width: number;
  height: number;
}

function Box({ panel, settings, marks, width, height }: BoxProps): ReactElement {
  const theme = useTheme2();
  const [drawing, setDrawing] = useState<Pick<Drawing, 'frames'>>();
  const [outcome, setOutcome] = useState<Outcome>();
  useEffect(() => {
    framesOf(panel, Math.floor(width), settings)
      .then((frames) => prepared(panel, frames, theme))
      .then((frames) => {
        setDrawing({ frames });
        setOutcome(frames.some(hasValues) ? 'drawn' : 'empty');
      })
      .catch((error: Error) => setOutcome(`failed: ${error.message}`));
  }, [panel, settings, theme, width]);
  useEffect(() => {
    if (outcome) {
      window.outcomes[`${panel.id} ${panel.title}`] = outcome;
    }
  }, [outcome, panel]);
  const Drawn = panel.type === 'row' ? undefined : PANELS[panel.type];
  return (
    <PanelChrome
      title={panel.title}
      description={panel.description}
      padding={panel.type === 'table' ? 'none' : 'md'}
      titleItems={panel.links?.length ? <Icon name="external-link-alt" size="sm" /> : undefined}
      width={width}
      height={height}
    >
      {(innerWidth, innerHeight) =>
        drawing && Drawn ? (
          <Drawn {...{ panel, marks, theme, ...drawing }} range={timeRange(settings)} width={innerWidth} height={innerHeight} />
        ) : (
          <span>{outcome}</span>
        )
      }
    </PanelChrome>
  );
}
