"""What the exporter answers over HTTP: metrics, health, the snapshot as JSON, a page to look at."""
