"""The same timelines through Debian's real Alertmanager and through our routing tell the same."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.process.debian import alertmanager
from tests.process.differing.ours import Ours
from tests.process.differing.theirs import config_for, play, told_to
from tests.process.differing.timetables import DIFFERENCES, NOTHING, TIMELINES, Timeline
from tests.process.differing.told import Told
from tests.receiving import Receiver
from tmcwatch.store.engine import Store
from tmcwatch.store.opening import open_store

README = Path(__file__).parents[2] / "README.md"
ROUNDS = 3
"""Real time may be late on a busy machine, and then shift what is told together: what is a
difference shows every time."""


@dataclass(frozen=True)
class Outcome:
    """What each side told of one timeline."""

    theirs: Told
    ours: Told

    @property
    def differs(self) -> bool:
        return self.theirs != self.ours

    def __str__(self) -> str:
        return f"Alertmanager:\n{self.theirs}\ntmcwatch:\n{self.ours}"


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """What we tell of each timeline, in virtual time."""
    folder = tmp_path_factory.mktemp("ours")
    open_store(f"sqlite:///{folder}/empty.db").close()
    told = {}
    for timeline in TIMELINES:
        shutil.copy(folder / "empty.db", folder / f"{timeline.name}.db")
        store = Store(f"sqlite:///{folder}/{timeline.name}.db")
        told[timeline.name] = Ours(timeline, store, folder).told()
        store.close()
    return told


@pytest.fixture(scope="module")
def outcomes(ours, alertmanager_binary, tmp_path_factory):
    """What both sides tell of each timeline; again for those with which something is wrong."""
    found: dict[str, Outcome] = {}
    for number in range(ROUNDS):
        wanted = [one for one in TIMELINES if not _is_as_listed(found.get(one.name), one)]
        if not wanted:
            break
        folder = tmp_path_factory.mktemp(f"theirs-{number}")
        theirs = played(wanted, alertmanager_binary, folder)
        for one in wanted:
            found[one.name] = Outcome(theirs.get(one.name, Told()), ours[one.name])
    return found


def played(timelines: Sequence[Timeline], binary: str, folder: Path) -> Mapping[str, Told]:
    inbox = Receiver()
    with (
        inbox.open(),
        alertmanager(binary, folder, config_for(timelines, inbox.address)) as address,
    ):
        play(timelines, address)
    return told_to(inbox)


def _is_as_listed(outcome: Outcome | None, timeline: Timeline) -> bool:
    return outcome is not None and outcome.differs == (timeline.name in DIFFERENCES)


@pytest.mark.parametrize("timeline", TIMELINES, ids=lambda timeline: timeline.name)
def test_a_timeline_is_told_as_by_alertmanager_unless_the_reason_is_listed(outcomes, timeline):
    outcome = outcomes[timeline.name]
    assert bool(outcome.theirs.by_group) == (timeline.name not in NOTHING), f"\n{outcome}"
    assert outcome.differs == (timeline.name in DIFFERENCES), f"\n{outcome}"


def test_every_difference_is_of_a_timeline_and_in_the_readme():
    names = [timeline.name for timeline in TIMELINES]
    assert len(set(names)) == len(names) >= 12
    assert DIFFERENCES.keys() <= set(names)
    readme = README.read_text()
    assert [reason for reason in DIFFERENCES.values() if f"- {reason}\n" not in readme] == []
