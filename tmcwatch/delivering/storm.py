"""What the summary of a storm says beside the few alerts that it lists."""

from tmcwatch.domain.harmless import cut
from tmcwatch.domain.message import Message
from tmcwatch.domain.storm import StormFacts

_MOST_COUNTED = 5
_LONGEST_NAME = 60


def counts_of(storm: StormFacts) -> str:
    counts = [f"FIRING {storm.firing:,}"] if storm.firing or not storm.over else []
    if storm.over:
        is_recovery = storm.recovered == storm.over
        counts.append(f"{'RECOVERED' if is_recovery else 'RESOLVED'} {storm.over:,}")
    return f"STORM: {', '.join(counts)}"


def rest_of(message: Message) -> str:
    """Answer with what a summary does not list, and what it is all about."""
    if message.storm is None:
        return ""
    about = (
        f"by {name}: "
        + ", ".join(f"{cut(text, _LONGEST_NAME)} {count:,}" for text, count in these)
        for name, counts in message.storm.counts.items()
        if (these := list(counts.items())[:_MOST_COUNTED])
    )
    more = f"And {message.unlisted:,} more. " if message.unlisted else ""
    return f"{more}In all {message.storm.alerts:,} alerts, {'; '.join(about)}."
