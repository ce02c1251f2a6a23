"""What can go wrong on purpose: faults, their options, and when each takes hold."""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tmcwatch.simulator.bucket import TokenBucket, full_bucket

Option = str | int | float | bool | None

SCOPE: dict[str, Option] = {"on": "", "times": None, "share": 1.0}
# The options of each fault and what they are when not given; their types are the types allowed.
OPTIONS: dict[str, dict[str, Option]] = {
    "throttle": {
        "style": "none",
        "retry_after": 1.0,
        "above": 0.0,
        "per_minute": 0.0,
        "burst": 5.0,
    },
    "error": {"status": 503.0, "body": "json"},
    "reset": {},
    "slow": {"seconds": 5.0},
    "stall": {"seconds": 300.0},
    "cut": {"keep": 0.5, "connection": False},
    "late": {"seconds": 5.0},
    "unstable_order": {},
    "duplicate": {},
    "clock_skew": {"seconds": 30.0},
    "revoked_token": {},
    "forbidden": {},
    "not_known_yet": {"seconds": 60.0},
    "lost_workspace": {"workspace": ""},
    "unknown_status": {"status": "suspended", "execution_status": "SUSPENDING_FLOW_EXECUTION"},
    "bad_row": {"shape": "types"},
}
CHOICES: dict[tuple[str, str], tuple[Option, ...]] = {
    ("throttle", "style"): ("none", "seconds", "date", "html"),
    ("error", "status"): (500, 502, 503, 504),
    ("error", "body"): ("json", "html"),
    ("bad_row", "shape"): ("types", "null"),
}
# Their share is a share of executions, not of requests.
SHARE_OF_ROWS = frozenset({"late", "unknown_status"})
ABOVE_WITHIN = 1.0


class UnknownFault(LookupError):
    """There is no fault of this name."""


class BadOption(ValueError):
    """A fault has no such option, or not with such a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault in force: on which paths, how many times, for which share, and how."""

    name: str
    on: str = ""
    times: int | None = None
    share: float = 1.0
    options: Mapping[str, Option]

    def number(self, option: str) -> float:
        value = self.options[option]
        return float(value) if value is not None else 0.0

    def text(self, option: str) -> str:
        return str(self.options[option])

    def as_json(self) -> dict[str, Option]:
        return {"on": self.on, "times": self.times, "share": self.share, **self.options}


class Faults:
    """The faults in force, with seeded dice for their shares."""

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(f"{seed}/faults")
        self._faults: dict[str, Fault] = {}
        self._recent: dict[str, deque[float]] = {}
        self._buckets: dict[str, TokenBucket] = {}

    def put(self, name: str, **options: Option) -> Fault:
        """Put a fault in force, in place of one of the same name."""
        if name not in OPTIONS:
            raise UnknownFault(f"no fault {name!r}; there are {', '.join(OPTIONS)}")
        known = SCOPE | OPTIONS[name]
        for option, value in options.items():
            _check(name, option, value, known)
        chosen = known | options
        times = chosen.pop("times")
        fault = Fault(
            name=name,
            on=str(chosen.pop("on")),
            times=None if times is None else int(times),
            share=float(chosen.pop("share") or 0.0),
            options=chosen,
        )
        self._faults[name] = fault
        if name == "throttle":
            self._buckets.clear()
        return fault

    def remove(self, name: str) -> bool:
        return self._faults.pop(name, None) is not None

    def clear(self) -> None:
        self._faults.clear()

    def in_force(self) -> dict[str, Fault]:
        return dict(self._faults)

    def strike(self, name: str, path: str, *, clock: float = 0.0) -> Fault | None:
        """Return the fault if it takes hold of a request now; that counts as one of its times.

        `clock` is the simulated time in seconds, for a throttle that allows a rate.
        """
        fault = self._faults.get(name)
        if fault is None or fault.on not in path:
            return None
        if name == "throttle" and not self._is_above(fault, path, clock):
            return None
        if name not in SHARE_OF_ROWS and self._dice.random() >= fault.share:
            return None
        if fault.times is not None:
            self._use_up(fault, fault.times)
        return self._with_wait(fault, path) if name == "throttle" else fault

    def shuffled(self, count: int) -> list[int]:
        """Return the numbers below `count` in an order that differs at each call."""
        return self._dice.sample(range(count), count)

    def _use_up(self, fault: Fault, times: int) -> None:
        if times > 1:
            self._faults[fault.name] = replace(fault, times=times - 1)
        else:
            del self._faults[fault.name]

    def _is_above(self, fault: Fault, path: str, clock: float) -> bool:
        if fault.number("per_minute") > 0:
            return not self._bucket(fault, path, clock).lets_pass(clock)
        recent = self._recent.setdefault(path if fault.number("above") else "", deque(maxlen=1000))
        while recent and recent[0] <= clock - ABOVE_WITHIN:
            recent.popleft()
        above = len(recent) >= fault.number("above")
        if not above:
            recent.append(clock)
        return above

    def _bucket(self, fault: Fault, path: str, clock: float) -> TokenBucket:
        """Answer with the bucket of the path's API, which is its first segment."""
        family = _family(path)
        if family not in self._buckets:
            self._buckets[family] = full_bucket(
                per_minute=fault.number("per_minute"), burst=fault.number("burst"), clock=clock
            )
        return self._buckets[family]

    def _with_wait(self, fault: Fault, path: str) -> Fault:
        """Ask to come back when the bucket has a token, and no sooner than the option says."""
        bucket = self._buckets.get(_family(path))
        if bucket is None:
            return fault
        after = max(fault.number("retry_after"), bucket.seconds_until_next())
        return replace(fault, options={**fault.options, "retry_after": after})


def _family(path: str) -> str:
    return path.split("/")[1] if path.startswith("/") else path


def _check(name: str, option: str, value: Option, known: Mapping[str, Option]) -> None:
    if option not in known:
        raise BadOption(f"{name} has no option {option!r}; it has {', '.join(known)}")
    if not _is_like(value, known[option], optional=option == "times"):
        raise BadOption(f"{name}: {value!r} is no value of {option}")
    choices = CHOICES.get((name, option))
    if choices is not None and value not in choices:
        raise BadOption(f"{name}: {option} is one of {', '.join(map(str, choices))}")


def _is_like(value: Option, example: Option, *, optional: bool) -> bool:
    if optional:
        return value is None or (type(value) is int and value > 0)
    if type(example) in {bool, str}:
        return type(value) is type(example)
    return type(value) in {int, float}
