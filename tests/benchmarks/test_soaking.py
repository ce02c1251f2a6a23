"""The soak benchmark still runs: a few minutes of a small budget, with its curve and figures."""

from tests.benchmarks.soaking import Soak, soaked


def test_a_soak_draws_its_curve_and_tells_its_figures():
    soak = Soak(title="TMC grants half", grants=(0.5,))
    lines = list(soaked(soak, budget=24, minutes=12))
    rows = [line.split() for line in lines if "#" in line]
    assert [int(row[0]) for row in rows] == list(range(12))
    assert all(float(row[1]) <= 12 + soak.burst for row in rows)
    assert sum(float(row[1]) for row in rows) / 12 > 8
    assert [line.split()[0] for line in lines[-2:]] == ["served,", "429s,"]


def test_a_soak_may_change_what_is_granted_on_the_way():
    soak = Soak(title="less, then more", grants=(0.25, 1.0))
    lines = list(soaked(soak, budget=24, minutes=10))
    bars = [line.index("|") for line in lines if "%  " in line and "|" in line]
    assert bars[:5] == [bars[0]] * 5
    assert bars[5:] == [bars[5]] * 5
    assert bars[0] < bars[5]
