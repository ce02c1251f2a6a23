"""Rules that weigh something: what the config sets of them, and what it may not."""

from datetime import timedelta
from pathlib import Path

import pytest

from tmcwatch.app.wiring import judges_rows, look_settings
from tmcwatch.config import ConfigError, load, rules_of
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.limits import Limits
from tmcwatch.domain.rule import After

REST = """
accounts: [{name: a, region: eu, token: t}]
route: {receiver: team}
receivers: [{name: team, log: {}}]
"""


@pytest.fixture
def loaded(tmp_path):
    def loaded(entry: str):
        path = Path(tmp_path) / "c.yaml"
        path.write_text(f"{REST}rules:\n  - {entry}\n")
        return load(path, environ={})

    return loaded


@pytest.mark.parametrize(
    ("entry", "limits"),
    [
        ("{rule: stuck, waiting: 1h}", Limits(waiting=timedelta(hours=1))),
        ("{rule: stuck, stopping: 15m}", Limits(stopping=timedelta(minutes=15))),
        ("{rule: started_late, delay: 2m}", Limits(delay=timedelta(minutes=2))),
        ("{rule: rejected_ratio, ratio: 0}", Limits(ratio=0.0)),
        ("{rule: flapping, calm_after: 1}", Limits(calm_after=1)),
        ("{rule: stuck, severity: info}", Limits()),
    ],
)
def test_a_limit_that_is_set_holds_and_the_others_stay(loaded, entry, limits):
    found = {rule.name: rule for rule in rules_of(loaded(entry))}
    name = entry.split(",")[0].removeprefix("{rule: ")
    assert found[name].limits == limits
    assert all(rule == BUILT_IN[name] for name, rule in found.items() if name not in entry)


def test_how_often_is_set_as_for_any_rule_that_counts(loaded):
    flaps = {
        r.name: r for r in rules_of(loaded("{rule: flapping, after: {count: 9, within: 1d}}"))
    }
    assert flaps["flapping"].after == After(count=9, within=timedelta(days=1))
    again = {rule.name: rule for rule in rules_of(loaded("{rule: failing_again, in_a_row: 7}"))}
    assert again["failing_again"].in_a_row == 7


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{rule: failed, waiting: 1h}", "waiting: only the rule 'stuck' has this"),
        ("{name: mine, ratio: 0.5}", "ratio: only the rule 'rejected_ratio' has this"),
        ("{rule: stuck, delay: 1h}", "delay: only the rule 'started_late' has this"),
        ("{rule: stuck, waiting: 10s}", "waiting: found '10s'; allowed: 1m to 7d"),
        ("{rule: rejected_ratio, ratio: 1.0}", "ratio: found the number 1.0"),
        ("{rule: stuck, in_a_row: 3}", "in_a_row: 'stuck' does not have this"),
        ("{rule: failing_again, for: 3m}", "for: 'failing_again' does not have this"),
        ("{rule: flapping, in_a_row: 3}", "in_a_row: 'flapping' does not have this"),
    ],
)
def test_what_a_rule_does_not_have_is_told_with_its_key(loaded, entry, problem):
    with pytest.raises(ConfigError) as found:
        loaded(entry)
    assert problem in str(found.value)


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("{rule: zero_rows, enabled: true}", True),
        ("{rule: rejected_ratio, enabled: true}", True),
        ("{rule: zero_rows, severity: warning}", False),
        ("{rule: failed, severity: info}", False),
    ],
)
def test_details_of_successes_are_asked_for_only_where_a_rule_judges_rows(loaded, entry, wanted):
    config = loaded(entry)
    assert judges_rows(config) is wanted
    assert look_settings(config).judges_rows is wanted
