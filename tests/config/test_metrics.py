"""What the config says of metrics: what is told in detail, and how much an answer holds."""

import pytest

from tmcwatch.cli.doubts import written_doubts
from tmcwatch.config import ConfigError, load

BASE = """
accounts: [{name: prod, region: eu, token: secret-token}]
route: {receiver: team}
receivers: [{name: team, log: {}}]
labels: [{matchers: ['workspace="FIN"'], set: {team: finance}}]
"""


@pytest.fixture
def config(tmp_path):
    def loaded(more=""):
        file = tmp_path / "tmcwatch.yaml"
        file.write_text(f"{BASE}metrics: {{{more}}}\n")
        return load(file, environ={})

    return loaded


def test_by_default_nothing_is_told_in_detail_and_an_answer_holds_50_000_series(config):
    metrics = config().metrics
    assert (metrics.detail, metrics.series) == ((), 50_000)


def test_detail_takes_matchers_as_routes_do(config):
    metrics = config("detail: ['name=~\"load_.*\"', team!=sales], series: 1000").metrics
    assert [str(one) for one in metrics.detail] == ['name=~"load_.*"', 'team!="sales"']
    assert metrics.series == 1000


@pytest.mark.parametrize(
    ("written", "key"),
    [("series: 999", "metrics.series"), ("detail: [load]", "metrics.detail[0]")],
)
def test_what_it_cannot_be_is_refused_with_its_place(config, written, key):
    with pytest.raises(ConfigError) as refused:
        config(written)
    [problem] = refused.value.problems
    assert f": {key}: " in str(problem)


@pytest.mark.parametrize(
    ("matcher", "doubt"),
    [
        ("trigger=manual", "no task or plan has the label trigger, only its runs or alerts may"),
        ("teem=finance", "no alert has the label teem. Did you mean 'team'?"),
        ("kind=tusk", "there is no kind 'tusk'. Did you mean 'task'?"),
    ],
)
def test_a_detail_that_no_task_can_have_is_pointed_out(config, matcher, doubt):
    assert list(written_doubts(config(f"detail: [{matcher}]"))) == [("metrics.detail[0]", doubt)]
    assert list(written_doubts(config("detail: [team=finance, kind=task]"))) == []
