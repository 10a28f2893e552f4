"""The dashboards, as code: `python -m grafana.builder` writes them to `grafana/dashboards/`."""
