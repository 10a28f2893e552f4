// What Grafana does with data before a panel gets it: transformations, then units, thresholds, colours and overrides.
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  ConfigOverrideRule,
  DataFrame,
  dataLinksOverrideProcessor,
  FieldConfigOptionsRegistry,
  FieldConfigPropertyItem,
  FieldType,
  GrafanaTheme2,
  identityOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  thresholdsOverrideProcessor,
  transformDataFrame,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

import { Panel } from './model';

const PROCESSORS: Record<string, FieldConfigPropertyItem['process']> = {
  links: dataLinksOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  thresholds: thresholdsOverrideProcessor,
};

// What the plugin of curves takes for granted, and its component in @grafana/ui wants to be told.
const CURVE = {
  axisPlacement: 'auto',
  axisColorMode: 'text',
  drawStyle: 'line',
  gradientMode: 'none',
  hideFrom: { legend: false, tooltip: false, viz: false },
  lineInterpolation: 'linear',
  pointSize: 5,
  scaleDistribution: { type: 'linear' },
  spanNulls: false,
  stacking: { mode: 'none', group: 'A' },
  thresholdsStyle: { mode: 'off' },
};

export function setUpTransformations(): void {
  const { mergeTransformer, organizeFieldsTransformer } = standardTransformers;
  standardTransformersRegistry.setInit(() =>
    [mergeTransformer, organizeFieldsTransformer].map((transformer) => ({
      id: transformer.id,
      name: transformer.name,
      transformation: () => Promise.resolve(transformer),
      editor: () => null,
      imageDark: '',
      imageLight: '',
    }))
  );
}

export async function prepared(panel: Panel, frames: DataFrame[], theme: GrafanaTheme2): Promise<DataFrame[]> {
  const transformed = await lastValueFrom(transformDataFrame(panel.transformations ?? [], frames));
  const { defaults, overrides } = panel.fieldConfig;
  const base = panel.type === 'timeseries' ? CURVE : {};
  const ready = applyFieldOverrides({
    data: transformed,
    fieldConfig: { defaults: { ...defaults, custom: { ...base, ...defaults.custom } }, overrides: overrides.map(migrated) },
    fieldConfigRegistry: registryFor(panel, Object.keys(base)),
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(ready);
  return panel.type === 'timeseries' ? ready.map(finite) : ready;
}

/** The plugin of curves takes what is no number for a gap: a quantile of no requests, for one. */
function finite(frame: DataFrame): DataFrame {
  const fields = frame.fields.map((field) =>
    field.type === FieldType.number
      ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) }
      : field
  );
  return { ...frame, fields };
}

/** The table's plugin reads `hidden` of older dashboards as `hideFrom`. */
function migrated({ matcher, properties }: ConfigOverrideRule): ConfigOverrideRule {
  return {
    matcher,
    properties: properties.map((property) =>
      property.id === 'custom.hidden' ? { id: 'custom.hideFrom', value: { viz: true } } : property
    ),
  };
}

/** Grafana fills this registry from its plugins; here it holds what the panel uses. */
function registryFor(panel: Panel, custom: string[]): FieldConfigOptionsRegistry {
  const { defaults, overrides } = panel.fieldConfig;
  const used = new Set([
    ...Object.keys(defaults).filter((name) => name !== 'custom'),
    ...[...custom, ...Object.keys(defaults.custom ?? {})].map((name) => `custom.${name}`),
    ...overrides.map(migrated).flatMap(({ properties }) => properties.map(({ id }) => id)),
  ]);
  return new FieldConfigOptionsRegistry(() =>
    [...used].map((id) => ({
      id,
      path: id.replace(/^custom\./, ''),
      name: id,
      isCustom: id.startsWith('custom.'),
      process: PROCESSORS[id] ?? identityOverrideProcessor,
      shouldApply: () => true,
      override: () => null,
      editor: () => null,
    }))
  );
}
