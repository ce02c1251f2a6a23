"""A plan of requests for a budget: whether it fits, what to change, and all of it as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass

from tmcwatch.app.planning import Shared
from tmcwatch.domain.advising import Advice, advice, fits
from tmcwatch.domain.budget import CEILINGS, Family
from tmcwatch.domain.fitting import Plan, Use, plan_of
from tmcwatch.domain.planning import AccountLoad
from tmcwatch.domain.window import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One budget with its plans."""

    shared: Shared
    use: Use
    plans: tuple[Plan, ...]
    """One by reading of windows."""
    advice: Advice | None
    """None where it fits."""

    @property
    def names(self) -> str:
        return ", ".join(self.shared.names)

    @property
    def fits(self) -> bool:
        return self.advice is None


def planned(shared: Shared, use: Use) -> Planned:
    return Planned(
        shared=shared,
        use=use,
        plans=tuple(plan_of(use, reading) for reading in Reading),
        advice=None if fits(use) else advice(use),
    )


def problems(one: Planned) -> Iterator[str]:
    """Give what does not fit, and in the end what to change."""
    for plan in one.plans:
        where = f"budget of {one.names}: windows by {plan.reading.value}"
        for family in sorted(plan.short):
            total, granted = plan.total(family), one.use.granted(family)
            yield (
                f"{where}: {family.value} takes {total:,.1f} requests a minute, of {granted:,.1f} "
                "granted, and a tenth of those has to be left"
            )
        if plan.turns > 1:
            yield (
                f"{where}: runs still open are read again only every {plan.turns} beats; failures "
                "are found at once all the same, by their status"
            )
    if one.advice is not None:
        yield f"budget of {one.names}: it fits with {_ways(one.advice)}"


def _ways(advised: Advice) -> str:
    slower = [f"watch.beat: {span(advised.beat)}"] if advised.beat else []
    slower += [f"watch.names.every: {span(advised.names_every)}"] if advised.names_every else []
    ways = [" and ".join(slower)] if slower else []
    ways += [f"accounts[].api_share: {advised.share:g}"] if advised.share else []
    less = "fewer accounts on this budget, or tasks or plans not watched"
    return ", or with ".join(ways) if ways else f"nothing but watching less: {less}"


def budget_json(one: Planned) -> dict[str, object]:
    advised = one.advice
    return {
        "accounts": [
            {"name": name} | _load_json(load)
            for name, load in zip(one.shared.names, one.use.loads, strict=True)
        ],
        "api_share": one.use.share,
        "beat_seconds": one.use.watching.beat,
        "fits": one.fits,
        "advice": None
        if advised is None
        else {
            "beat_seconds": advised.beat,
            "names_every_seconds": advised.names_every,
            "api_share": advised.share,
        },
        "windows_by": {plan.reading.value: _plan_json(one.use, plan) for plan in one.plans},
    }


def _load_json(load: AccountLoad) -> dict[str, object]:
    return {
        "tasks": load.tasks,
        "plans": load.plans,
        "promotions": load.promotions,
        "lists": {
            each.kind.value: {
                "runs_per_hour": round(each.runs_per_hour, 2),
                "failures_per_hour": round(each.bad_ends_per_hour, 2),
                "open": round(each.open_runs.number, 2),
                "open_for_over_an_hour": round(each.open_runs.long, 2),
            }
            for each in load.lists
        },
    }


def _plan_json(use: Use, plan: Plan) -> dict[str, object]:
    delay = plan.delay
    return {
        "fits": plan.fits,
        "families": {
            family.value: {
                "requests_per_minute": round(plan.total(family), 2),
                "by_purpose": {each.value: round(n, 2) for each, n in plan.of(family).items()},
                "granted_per_minute": round(use.granted(family), 2),
                "share_of_ceiling": round(plan.total(family) / CEILINGS[family], 5),
            }
            for family in families(plan)
        },
        "beats_to_read_open_runs": plan.turns,
        "end_known_after_seconds": {
            "median": round(delay.median, 1),
            "most": round(delay.most, 1),
        },
        "proven_after_seconds": round(delay.proven, 1),
        "history": {
            "requests": round(plan.history),
            "minutes": None if plan.history_minutes is None else round(plan.history_minutes, 1),
        },
    }


def families(plan: Plan) -> list[Family]:
    asked = {family for family, _ in plan.demand}
    return [family for family in Family if family in asked]


def span(seconds: float) -> str:
    """Write a span as the configuration does."""
    whole = int(seconds)
    if whole == seconds and whole and whole % 3600 == 0:
        return f"{whole // 3600}h"
    if whole == seconds and whole and whole % 60 == 0:
        return f"{whole // 60}m"
    return f"{seconds:g}s"
