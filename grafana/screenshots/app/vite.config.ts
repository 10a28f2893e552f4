import { defineConfig } from 'vite';

export default defineConfig({
  // Grafana's components ask Node's global for their environment.
  define: { 'process.env': { NODE_ENV: 'production' }, global: 'globalThis' },
  resolve: { dedupe: ['react', 'react-dom'] },
  build: { chunkSizeWarningLimit: 20_000 },
});
