"""A version to come: this one with one more migration, as a package of its own, run by itself."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tmcwatch

NEXT = "0006"

ADDING = """
def upgrade() -> None:
    op.create_table(
        "novelties",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("execution", sa.String(), nullable=False),
    )
    op.add_column("executions", sa.Column("mood", sa.String()))
    op.add_column("alerts", sa.Column("pace", sa.BigInteger(), server_default="3", nullable=False))
    op.create_index("ix_alerts_pace", "alerts", ["pace"])
"""

RENAMING = """
def upgrade() -> None:
    op.alter_column("executions", "phase", new_column_name="stage")
"""

_MIGRATION = '''"""What a version to come does to the store."""

import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{head}"

{upgrade}
'''

_REVISION = """
SCHEMAS = (*SCHEMAS, Revision(name="{next}", readable_by="{readable_by}"))
REVISIONS = tuple(one.name for one in SCHEMAS)
READABLE_BY = SCHEMAS[-1].readable_by
"""

_TABLES = """
Table("novelties", metadata, Column("id", String, primary_key=True), Column("execution", String))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Where the code of a version is."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """Have this version's code be what a process imports, wherever that begins."""
        return {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONSAFEPATH": "1"}

    def does(self, script: str, *words: str) -> str:
        """Run a script on its code; answers with what it printed."""
        line = [sys.executable, "-c", script, *words]
        return subprocess.run(
            line, env=self.env, check=True, capture_output=True, text=True
        ).stdout

    def opens(self, url: str) -> None:
        """Open a store, and close it."""
        self.does(
            "import sys; from tmcwatch.store.opening import open_store; "
            "open_store(sys.argv[1]).close()",
            url,
        )


def this_version() -> Version:
    return Version(folder=Path(tmcwatch.__file__).parents[1])


def next_version(folder: Path, *, head: str, readable_by: str, upgrade: str) -> Version:
    """Write the version after this one, whose migration does `upgrade`."""
    package = folder / "tmcwatch"
    shutil.copytree(Path(tmcwatch.__file__).parent, package)
    store = package / "store"
    migration = _MIGRATION.format(next=NEXT, head=head, upgrade=upgrade)
    (store / "migrations" / "versions" / f"v{NEXT}_novelties.py").write_text(migration)
    _append(store / "revisions.py", _REVISION.format(next=NEXT, readable_by=readable_by))
    if upgrade == ADDING:
        _append(store / "schema.py", _TABLES)
    return Version(folder=folder)


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)
