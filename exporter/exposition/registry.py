"""Lines of a prometheus-client registry, without what its own exposition adds.

`prometheus_client.generate_latest` escapes and validates every name and label again at each scrape, and tells when each
counter was created (`_created`) unless that is switched off for the whole process. Neither is wanted here.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry

from exporter.exposition.text import head, header, label_pairs, number


def registry_lines(registry: CollectorRegistry, *, openmetrics: bool) -> Iterator[str]:
    """Yield the lines of gauges, counters and histograms."""
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield header(name, family.documentation, family.type, openmetrics=openmetrics)
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield f"{head(sample.name, label_pairs(sample.labels, sample.labels.values()))}{number(sample.value)}\n"
