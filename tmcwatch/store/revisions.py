"""Every schema of the store, oldest first, and the oldest version whose code works with each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    name: str
    readable_by: str
    """The oldest schema whose code may run on this one, because all it needs is still there.

    Whoever adds a migration that only adds tables, and columns that may be left out, keeps that
    of the migration before; one that takes away, renames or means something else names itself.
    """


SCHEMAS = (
    Revision(name="0001", readable_by="0001"),
    Revision(name="0002", readable_by="0002"),
    Revision(name="0003", readable_by="0003"),
    # The code before it takes an alert whose `for` still runs for one that counts.
    Revision(name="0004", readable_by="0004"),
    Revision(name="0005", readable_by="0004"),
)

REVISIONS = tuple(one.name for one in SCHEMAS)
"""Every schema this version knows, oldest first; the last is the one it works with."""

READABLE_BY = SCHEMAS[-1].readable_by
"""What a store at this version's schema says about itself to an older version."""
