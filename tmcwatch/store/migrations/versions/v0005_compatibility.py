"""Which older versions may run on the store as it is, so that a roll-back starts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "compatibility",
        sa.Column("readable_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("readable_by", name=op.f("pk_compatibility")),
    )
