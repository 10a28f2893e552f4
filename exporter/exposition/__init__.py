"""A `Snapshot` as a Prometheus page: text 0.0.4 or OpenMetrics 1.0, as it is or compressed."""
