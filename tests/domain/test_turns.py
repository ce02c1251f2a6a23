"""Whose turn it is: urgency first, accounts in turn, deadlines in between, and nobody starves."""

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.turns import (
    OVERDUE_EVERY,
    PRIORITIES,
    Turns,
    Waiting,
    by_urgency,
    next_turn,
    patience,
)

BEAT = timedelta(seconds=10)


def ask(purpose=Purpose.HEAD, *, number=0, account="a", deadline=1_000.0):
    return Waiting(purpose=purpose, account=account, deadline=deadline, number=number)


def turn_in(line, turns, *, at=0.0):
    turn = next_turn(line, turns, at=at)
    assert turn is not None
    return turn


def served(line, *, turns=None, at=0.0):
    """Serve a line to its end; answer with the order."""
    line, turns = list(line), turns or Turns()
    order: list[Waiting] = []
    while line:
        chosen, turns = turn_in(line, turns, at=at)
        line.remove(chosen)
        order.append(chosen)
    return order


def test_purposes_come_in_the_order_of_their_urgency():
    assert sorted(Purpose, key=PRIORITIES.__getitem__) == [
        Purpose.HEAD,
        Purpose.ENDS,
        Purpose.DETAIL,
        Purpose.NAMES,
        Purpose.BACKFILL,
        Purpose.AUDIT,
    ]


def test_what_is_less_urgent_may_wait_longer():
    waits = [patience(purpose, BEAT) for purpose in Purpose]
    assert waits == sorted(waits)
    assert waits[0] == 10


def test_nobody_waits_so_nobody_has_a_turn():
    assert next_turn([], Turns(), at=0.0) is None


def test_the_most_urgent_purpose_comes_first():
    line = [ask(purpose, number=i) for i, purpose in enumerate(reversed(Purpose))]
    assert [each.purpose for each in served(line)] == list(Purpose)


def test_inside_a_purpose_the_earliest_deadline_comes_first():
    line = [ask(number=i, deadline=deadline) for i, deadline in enumerate((30.0, 10.0, 20.0))]
    assert [each.deadline for each in served(line)] == [10, 20, 30]


def test_equal_deadlines_come_in_the_order_of_asking():
    line = [ask(number=2), ask(number=1)]
    assert [each.number for each in served(line)] == [1, 2]


def test_accounts_take_turns_however_many_questions_one_has():
    flood = [ask(number=i, account="flood", deadline=1.0) for i in range(6)]
    few = [ask(number=10 + i, account="few", deadline=2.0) for i in range(2)]
    order = [each.account for each in served([*flood, *few], at=0.0)]
    assert order[:4] == ["flood", "few", "flood", "few"]


def test_silence_saves_up_no_turns():
    turns = Turns()
    for number in range(10):
        _, turns = turn_in([ask(number=number, account="busy")], turns)
    line = [ask(number=20 + i, account="quiet") for i in range(5)]
    line += [ask(number=30 + i, account="busy") for i in range(5)]
    order = [each.account for each in served(line, turns=turns)]
    assert order[:4].count("busy") >= 1
    assert order[:8].count("busy") >= 3


def test_one_turn_in_five_goes_to_what_is_overdue():
    heads = [ask(number=i) for i in range(20)]
    audit = ask(Purpose.AUDIT, number=99, deadline=-5.0)
    assert served([*heads, audit]).index(audit) == OVERDUE_EVERY - 1


def test_what_waited_longest_beyond_its_deadline_has_the_turn_of_the_overdue():
    heads = [ask(number=i) for i in range(20)]
    late = [
        ask(Purpose.AUDIT, number=50, deadline=-1.0),
        ask(Purpose.NAMES, number=51, deadline=-9),
    ]
    order = served([*heads, *late])
    assert [order[4], order[9]] == [late[1], late[0]]


def test_before_its_deadline_nothing_overtakes():
    line = [*(ask(number=i) for i in range(20)), ask(Purpose.AUDIT, number=99, deadline=5.0)]
    assert served(line, at=4.9)[-1].purpose is Purpose.AUDIT


def test_after_trouble_the_most_urgent_resumes_first_however_overdue_the_rest_is():
    turns = Turns(count=OVERDUE_EVERY - 1)
    line = [ask(Purpose.AUDIT, number=1, deadline=-600.0), ask(number=2, deadline=-9.0)]
    assert served(line, turns=turns)[0].purpose is Purpose.AUDIT
    assert served(line, turns=by_urgency(turns))[0].purpose is Purpose.HEAD


PURPOSES = st.sampled_from(Purpose)


@given(st.lists(st.tuples(PURPOSES, st.sampled_from("abc"), st.floats(-50, 50)), max_size=40))
def test_everybody_has_exactly_one_turn(asked):
    line = [
        ask(purpose, number=i, account=account, deadline=deadline)
        for i, (purpose, account, deadline) in enumerate(asked)
    ]
    assert sorted(each.number for each in served(line)) == list(range(len(asked)))


@settings(max_examples=20)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=6), st.booleans())
def test_under_a_lasting_flood_accounts_are_served_alike(crowds, overdue):
    """Each account keeps as many questions waiting as it has, whoever is served asks again."""
    deadline = -1.0 if overdue else 1_000.0
    line, number = [], 0
    for account, crowd in enumerate(crowds):
        for _ in range(crowd):
            line.append(ask(number=number, account=account, deadline=deadline))
            number += 1
    turns = Turns()
    counted: Counter[int] = Counter()
    for _ in range(40 * len(crowds)):
        chosen, turns = turn_in(line, turns)
        line.remove(chosen)
        line.append(ask(number=number, account=chosen.account, deadline=deadline))
        number += 1
        counted[chosen.account] += 1
    mean = counted.total() / len(crowds)
    assert min(counted[account] for account in range(len(crowds))) >= 0.8 * mean


@settings(max_examples=30)
@given(PURPOSES, st.integers(0, 30), st.integers(0, 8))
def test_nothing_starves_behind_an_endless_line_of_heads(purpose, heads, before):
    """What is overdue waits for no more than the overdue before it, a few turns each."""
    line = [ask(number=i, deadline=1_000.0) for i in range(heads)]
    late = [ask(purpose, number=100 + i, deadline=-50.0 + i) for i in range(before)]
    mine = ask(purpose, number=999, deadline=-1.0)
    line = [*line, *late, mine]
    turns = Turns()
    order: list[Waiting] = []
    for turn in range((before + 1) * OVERDUE_EVERY):
        chosen, turns = turn_in(line, turns)
        line.remove(chosen)
        line.append(ask(number=1_000 + turn, deadline=1_000.0))
        order.append(chosen)
    assert mine in order
