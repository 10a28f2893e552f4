"""Lines of a prometheus-client registry, without what its own exposition adds.

`prometheus_client.generate_latest` validates and escapes every name and label again at each scrape, and tells when each
counter was created (`_created`) unless that is switched off for the whole process. Neither is wanted here.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry

from exporter.exposition.text import head, header, label_pairs, number


class RegistryLines:
    """Renders gauges, counters and histograms; what stands before their values is rendered once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._heads: dict[tuple[str, ...], str] = {}

    def render(self, *, openmetrics: bool) -> str:
        """Return the lines of every family as they are now."""
        return "".join(self._lines(openmetrics=openmetrics))

    def _lines(self, *, openmetrics: bool) -> Iterator[str]:
        heads = self._heads
        for family in self._registry.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield header(name, family.documentation, family.type, openmetrics=openmetrics)
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    continue
                # The names of a family's labels never change, so their values tell the series.
                series = (sample.name, *sample.labels.values())
                start = heads.get(series)
                if start is None:
                    start = heads[series] = head(sample.name, label_pairs(sample.labels, sample.labels.values()))
                yield f"{start}{number(sample.value)}\n"
