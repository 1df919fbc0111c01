"""Alerts"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="empty: all of them"),
        sa.Column("severity", sa.Text(), nullable=False, comment="the highest since it started"),
        sa.Column("summary", sa.Text(), nullable=False, comment="as it was last told"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "told_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when its last message was written",
        ),
        sa.Column(
            "told_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="of what it lists: the newest that was told",
        ),
        sa.Column(
            "resolved_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it ended; null while it is on",
        ),
        sa.PrimaryKeyConstraint("kind", "source", name=op.f("pk_alert")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False, comment="its name in the settings"),
        sa.Column("phase", sa.Text(), nullable=False, comment="what it tells of the alert"),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="pending, delivered or failed"),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), nullable=False, comment="not to be tried before"
        ),
        sa.Column(
            "claimed_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="a sender has it until then",
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "error",
            sa.Text(),
            nullable=True,
            comment="why the last attempt failed, in words of our own",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        comment="messages of alerts, each to one target: the outbox",
    )
    op.create_index(op.f("ix_delivery_state_target"), "delivery", ["state", "target"])
