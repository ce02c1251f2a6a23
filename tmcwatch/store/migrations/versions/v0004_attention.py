"""What people do about alerts, what mutes them, and the clocks of rules, storms and receivers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _add_to_alerts()
    _add_to_members()
    _add_notes()
    _add_silences()
    op.create_table(
        "storms",
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("flushed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("receiver", name=op.f("pk_storms")),
    )
    op.create_table(
        "parked",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_parked")),
    )
    op.create_table(
        "rule_watches",
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("watched_from", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_rule_watches")),
    )


def _add_to_alerts() -> None:
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        for name in (
            "due_at",
            "acknowledged_at",
            "acknowledged_until",
            "snoozed_at",
            "snoozed_until",
        ):
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("acknowledged_by", sa.Text(), nullable=True))
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_alerts_subject", ["account", "kind", "subject", "opened_at"], unique=False
        )
        batch_op.create_index("ix_alerts_opened_at", ["opened_at"], unique=False)
        batch_op.create_index("ix_alerts_changed_at", ["changed_at"], unique=False)
        batch_op.create_index(
            "ix_alerts_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )


def _add_to_members() -> None:
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_severity", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("muted", sa.Text(), nullable=True))
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index("ix_members_alert", ["alert"], unique=False)


def _add_notes() -> None:
    op.create_table(
        "notes",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_notes")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notes_alert"), "notes", ["alert"], unique=False)


def _add_silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("reminded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"], unique=False)
