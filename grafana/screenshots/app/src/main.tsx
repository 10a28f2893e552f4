import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import '@fontsource/inter/600.css';
import '@fontsource/roboto-mono/400.css';
import 'uplot/dist/uPlot.min.css';

import { createTheme, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

import { cut } from './cut';
import { setUpTransformations } from './fields';
import { Frame } from './Frame';
import { Settings } from './model';

async function start(): Promise<void> {
  const settings: Settings = await (await fetch('/settings.json')).json();
  window.outcomes = {};
  window.cut = cut;
  // The components measure their texts when they are drawn: the fonts have to be there before.
  await Promise.all(['400', '500', '600'].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
  await document.fonts.load('14px "Roboto Mono"');
  setUpTransformations();
  const theme = createTheme({ colors: { mode: settings.theme } });
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Frame settings={settings} width={window.innerWidth} />
    </ThemeContext.Provider>
  );
}

void start();
