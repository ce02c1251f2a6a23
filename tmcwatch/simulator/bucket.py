"""The token bucket of a gateway: so many requests at once, then so many a minute, exactly."""

from dataclasses import dataclass
from fractions import Fraction

MICROSECONDS_PER_MINUTE = 60_000_000


@dataclass(slots=True, kw_only=True)
class TokenBucket:
    """A bucket that is full at first; each request that it lets pass takes a token.

    It is reckoned in fractions, as what it grants in an hour is to be exact.
    """

    per_minute: Fraction
    burst: Fraction
    tokens: Fraction
    at: int
    """Microseconds of simulated time."""

    def lets_pass(self, clock: float) -> bool:
        """Take a token if there is one; what is refused takes none."""
        at = max(self.at, _microseconds(clock))
        gained = self.per_minute * (at - self.at) / MICROSECONDS_PER_MINUTE
        self.tokens, self.at = min(self.burst, self.tokens + gained), at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def seconds_until_next(self) -> float:
        """Answer with how long after the last request there will be a token."""
        return float(max(Fraction(), 1 - self.tokens) / self.per_minute * 60)


def full_bucket(*, per_minute: float, burst: float, clock: float) -> TokenBucket:
    size = max(Fraction(1), Fraction(burst))
    at = _microseconds(clock)
    return TokenBucket(per_minute=Fraction(per_minute), burst=size, tokens=size, at=at)


def _microseconds(clock: float) -> int:
    return round(clock * 1_000_000)
