"""What somebody was told, in terms that both sides share."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.process.differing.timetables import Step

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification: what it says anew, and how many fire in all."""

    firing: frozenset[str]
    """Names of the alerts of which it says for the first time that they fire; of a repeat, all."""
    resolved: frozenset[str]
    number_firing: int

    def __str__(self) -> str:
        parts = [f"{name} fires" for name in sorted(self.firing)]
        parts += [f"{name} is over" for name in sorted(self.resolved)]
        return f"{', '.join(parts)} ({self.number_firing} firing)"


@dataclass
class Told:
    """The notifications of each group of each receiver, in order."""

    by_group: defaultdict[tuple[str, Labels], list[Notification]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, receiver: str, group: Labels, notification: Notification) -> None:
        self.by_group[receiver, group].append(notification)

    def __str__(self) -> str:
        lines = [
            f"  {receiver} {dict(sorted(group))}: {'; '.join(map(str, notifications))}"
            for (receiver, group), notifications in sorted(self.by_group.items(), key=str)
        ]
        return "\n".join(lines) or "  nothing"


def labels_of(step: Step) -> dict[str, str]:
    """Answer with the labels of an alert, the same on both sides."""
    return {
        "alertname": "failed",
        "severity": "warning",
        "account": "acme",
        "env": "prod",
        "kind": "task",
        "id": step.what,
        "name": step.what,
        **step.labels,
    }
