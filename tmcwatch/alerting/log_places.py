"""Which ends of runs stand in the log before another: the others are yet to be decided on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tmcwatch.domain.execution import AccountName, ExecutionId, Kind
from tmcwatch.store.engine import Connection
from tmcwatch.store.transitions import ends_after


@dataclass(slots=True, kw_only=True)
class LogPlaces:
    """Where the ends stand that a round begins with, or leaves to later ones.

    Read once for a round, and only if it is asked: in a backlog that is much of the log.
    """

    connection: Connection
    begin: int
    """The cursor before the round: all up to here is decided on."""
    _places: Mapping[tuple[str, str, str], int] | None = field(default=None, init=False)

    def standing_before(
        self, place: int, account: AccountName, kind: Kind
    ) -> Callable[[ExecutionId], bool]:
        """Answer with what tells of a run of this list whether its end stands before `place`."""

        def is_before(execution: ExecutionId) -> bool:
            if self._places is None:
                self._places = ends_after(self.connection, self.begin)
            return self._places.get((account, kind.value, execution), 0) <= place

        return is_before
