"""How long the token of a service account is trusted, and when another one is asked for."""

import math
from datetime import timedelta

LONGEST_LIFE = timedelta(minutes=30).total_seconds()
"""What TMC's help says; the reply may say an hour."""
SHORTEST_LIFE = timedelta(seconds=10).total_seconds()
"""A token said to end sooner is still tried for so long: a refusal tells when it is over."""

SPARE_PART = 1 / 6
"""The last part of a token's life, in which another one is asked for."""
SPARE = timedelta(minutes=1).total_seconds()
"""The least of it, but where half a life is less."""

TRUSTED_FOR = timedelta(seconds=20).total_seconds()
"""A token refused so soon is not renewed: the next one would be refused as well."""

FIRST_RETRY = timedelta(seconds=5).total_seconds()
LONGEST_RETRY = timedelta(minutes=1).total_seconds()
_MOST_DOUBLINGS = 10  # clamps the exponent: weeks of refusals must not overflow


def life_of(expires_in: object) -> float:
    """Answer with the seconds for which a token is trusted, whatever TMC says of them."""
    said = _seconds(expires_in)
    if said is None or said <= 0:
        return LONGEST_LIFE
    return min(max(said, SHORTEST_LIFE), LONGEST_LIFE)


def renewed_after(life: float) -> float:
    """Answer with the age in seconds from which another token is asked for."""
    return life - max(life * SPARE_PART, min(SPARE, life / 2))


def retried_after(failures: int) -> float:
    """Answer with the seconds to wait after so many failures in a row."""
    return min(FIRST_RETRY * float(2 ** min(failures - 1, _MOST_DOUBLINGS)), LONGEST_RETRY)


def _seconds(said: object) -> float | None:
    """Read a number, or the text of one, as TMC's contract has it."""
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return None
    try:
        seconds = float(said)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(seconds) else seconds
