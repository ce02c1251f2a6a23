"""What the summary of a storm says beside the few alerts that it lists."""

from tmcwatch.domain.harmless import cut
from tmcwatch.domain.storm import MOST_LISTED, StormFacts

_MOST_COUNTED = 5
_LONGEST_NAME = 60


def counts_of(storm: StormFacts) -> str:
    counts = [f"FIRING {storm.firing:,}"] if storm.firing or not storm.over else []
    if storm.over:
        is_recovery = storm.recovered == storm.over
        counts.append(f"{'RECOVERED' if is_recovery else 'RESOLVED'} {storm.over:,}")
    # What an outage hid is told so too, even if it is little.
    name = "STORM" if storm.alerts > MOST_LISTED else "SUMMARY"
    return f"{name}: {', '.join(counts)}"


def summary_of(storm: StormFacts, *, since: str, counted: bool) -> str:
    """Answer with what it is all about, which is more than the few that are listed."""
    about = [
        f"by {name}: "
        + ", ".join(f"{cut(text, _LONGEST_NAME)} {count:,}" for text, count in these)
        for name, counts in storm.counts.items()
        if counted and (these := list(counts.items())[:_MOST_COUNTED])
    ]
    return f"{storm.alerts:,} alerts since {since}{', ' if about else ''}{'; '.join(about)}."


def rest_of(storm: StormFacts, *, listed: int) -> str:
    return f"And {storm.alerts - listed:,} more." if storm.alerts > listed else ""
