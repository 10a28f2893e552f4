"""Everything that talks to AWS: calls in, `exporter.model` objects out."""
