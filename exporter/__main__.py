"""`python -m exporter` is `kms-exporter`."""

from exporter.cli import main

main()
