"""What was asked of the simulator: the latest requests, and how many there were."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request; `status` is None where the connection was dropped instead of an answer."""

    at: datetime
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int | None
    talend_version: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "body": self.body,
            "status": self.status,
            "talend_version": self.talend_version,
        }


class Journal:
    """The latest requests, bounded, and counts of all by status."""

    def __init__(self) -> None:
        self.requests: deque[Recorded] = deque(maxlen=KEPT)
        self.total = 0
        self.by_status: Counter[str] = Counter()

    def add(self, request: Recorded) -> None:
        self.requests.append(request)
        self.total += 1
        self.by_status["dropped" if request.status is None else str(request.status)] += 1

    def since(self, moment: datetime | None) -> list[Recorded]:
        return [each for each in self.requests if moment is None or each.at > moment]
