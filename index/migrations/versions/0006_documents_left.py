"""Documents that a run leaves to the next"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("source") as batch_op:
        batch_op.add_column(
            sa.Column(
                "n_left",
                sa.Integer(),
                nullable=False,
                server_default="0",
                comment="that run had no room for",
            )
        )
        batch_op.add_column(
            sa.Column(
                "left_since",
                sa.DateTime(timezone=True),
                comment="oldest change among these; null without any",
            )
        )


def downgrade() -> None:
    with op.batch_alter_table("source") as batch_op:
        batch_op.drop_column("left_since")
        batch_op.drop_column("n_left")
