"""Learned settle lags and limits, second passes and audits, outages, conditions, promotions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _add_tables()
    with op.batch_alter_table("capture", schema=None) as batch_op:
        batch_op.add_column(sa.Column("away_from", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("away_to", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("skew", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("settle", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("reading", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("widest", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("deepest", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("checked_from", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("checked_to", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("audited_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("audited_day_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("subjects", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("outside", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("held", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_alerts_held",
            ["account", "kind"],
            unique=False,
            sqlite_where=sa.text("held = 1"),
            postgresql_where=sa.text("held = true"),
        )


def _add_tables() -> None:
    op.create_table(
        "conditions",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_conditions")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("conditions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_conditions_untold",
            ["sequence"],
            unique=False,
            sqlite_where=sa.text("told = 0"),
            postgresql_where=sa.text("told = false"),
        )
    op.create_table(
        "gaps",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "kind", "start", name=op.f("pk_gaps")),
    )
    op.create_table(
        "promotions",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("execution", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "execution", name=op.f("pk_promotions")),
    )
    op.create_table(
        "workspaces",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_workspaces")),
    )
