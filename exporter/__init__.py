"""Prometheus exporter for AWS KMS keys that are about to be destroyed."""

__version__ = "0.1.0"
