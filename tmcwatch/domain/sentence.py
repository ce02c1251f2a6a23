"""What an alert about runs says in one sentence: tmcwatch's own, or one from a rule's template."""

from collections.abc import Mapping
from datetime import timedelta
from string import Formatter

from tmcwatch.domain.execution import Phase
from tmcwatch.domain.harmless import cut
from tmcwatch.domain.rule import Rule
from tmcwatch.domain.spoken import span

CALLED: Mapping[Phase, str] = {
    Phase.REJECTED: "ended with rejected rows",
    Phase.FAILED: "failed",
    Phase.DEPLOY_FAILED: "could not be deployed",
    Phase.TERMINATED: "was terminated",
    Phase.TIMED_OUT: "ran into its time limit",
    Phase.SHUT_DOWN: "was ended by a shutdown",
    Phase.MISFIRED: "did not start",
    Phase.DEFECTIVE: "was made with defects",
}
"""What each bad end is called, after the name of what ran."""

FIELDS = frozenset(
    {
        *("account", "environment", "workspace", "kind", "id", "name", "trigger"),
        *("rule", "severity", "reason", "engine", "error", "step", "failed_tasks", "tasks"),
        *("link", "count", "sentence"),
    }
)
LABEL = "label."
"""Before the name of any other label, such as `{label.team}`."""

_LONGEST_VALUE = 500
_MINUTE = timedelta(minutes=1)


def fields_in(template: str) -> frozenset[str]:
    """Answer with what a template names; raises ValueError with what is wrong with it."""
    names = set()
    for _, name, form, conversion in Formatter().parse(template):
        if name is None:
            continue
        if form or conversion:
            raise ValueError(f"{{{name}}} must stand without a format")
        is_label = name.startswith(LABEL) and name.removeprefix(LABEL).isidentifier()
        if name not in FIELDS and not is_label:
            raise ValueError(f"{{{name}}} is none of {', '.join(sorted(FIELDS))}, label.NAME")
        names.add(name)
    return frozenset(names)


def filled(template: str, values: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Answer with a template filled in; what is not known is empty, what is long is cut."""
    every = {**labels, **{f"{LABEL}{name}": text for name, text in labels.items()}, **values}
    parts = Formatter().parse(template)
    return "".join(
        literal + (cut(every.get(name, ""), _LONGEST_VALUE) if name is not None else "")
        for literal, name, _, _ in parts
    )


def times(rule: Rule, count: int, *, is_opening: bool) -> str:
    """Say how often it happened, of a rule that counts."""
    if not rule.counts or count == 1:
        return ""
    if rule.after is None:
        return f" {count:,} times in a row"
    return f" {count:,} times" + (f" within {_span(rule.after.within)}" if is_opening else "")


def _span(length: timedelta) -> str:
    return span(length) if length >= _MINUTE else f"{length.total_seconds():g} s"
