"""What acceptance tests of metrics work with: a quiet tenant, and what a scrape of it finds."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tmcwatch.telemetry.families import FAMILIES, Type

COUNTERS = [family.name for family in FAMILIES if family.type is Type.COUNTER]


@dataclass(frozen=True)
class Scraped:
    samples: list[Sample]

    def of(self, subject):
        return [one for one in self.samples if one.labels.get("id") == subject]

    def named(self, name):
        return [one for one in self.samples if one.name == name]

    def counters(self, **labels):
        """Every counter that has these labels, by its name and labels."""
        return {
            (one.name, *sorted(one.labels.items())): one.value
            for one in self.samples
            if one.name in COUNTERS and labels.items() <= one.labels.items()
        }


async def scraped(answers):
    text = (await answers.metrics(None))[0].decode()
    families = text_string_to_metric_families(text)
    return Scraped([sample for family in families for sample in family.samples])
