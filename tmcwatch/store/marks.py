"""When and how far each list was read before the process started, as marks to judge by."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.sight import Marks
from tmcwatch.store.moments import loaded
from tmcwatch.store.schema import capture


def load_marks(
    connection: Connection, *, counted_from: datetime, settle: timedelta
) -> Mapping[tuple[AccountName, Kind], Marks]:
    """Answer with the marks of every list that was ever read; `settle` where none is learned."""
    return {
        (AccountName(values.account), Kind(values.kind)): Marks(
            counted_from=counted_from,
            head_at=loaded(values.head_at),
            watermark=loaded(values.watermark),
            skew=timedelta(microseconds=values.skew),
            settle=(settle if values.settle is None else timedelta(microseconds=values.settle)),
        )
        for values in connection.execute(select(capture))
    }
