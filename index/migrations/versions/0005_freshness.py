"""Freshness: its history, totals of all runs, canaries"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("source") as batch_op:
        batch_op.add_column(
            sa.Column("complete_as_of", _WHEN, comment="when that run began to list it")
        )
    # No run has said so yet: the end of the last success is the nearest that is known.
    op.execute("UPDATE source SET complete_as_of = last_success_at")
    with op.batch_alter_table("document") as batch_op:
        batch_op.add_column(
            sa.Column("stale_since", _WHEN, comment="what is searchable is not what it says since")
        )
        batch_op.create_index(
            batch_op.f("ix_document_source_source_modified_at"), ["source", "source_modified_at"]
        )
        batch_op.create_index(
            batch_op.f("ix_document_stale"),
            ["source", "stale_since"],
            sqlite_where=sa.text("stale_since IS NOT NULL"),
            postgresql_where=sa.text("stale_since IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_document_counted"),
            ["source", "removed_at", "outcome", "current_version", "stale_since"],
        )
    op.add_column(
        "outcome",
        sa.Column("changed_at", _WHEN, comment="that modification, or when it was first seen"),
    )
    with op.batch_alter_table("run") as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_source"))
        batch_op.create_index(batch_op.f("ix_run_source_started_at"), ["source", "started_at"])
    _create_freshness()
    op.create_table(
        "total",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "label", sa.Text(), nullable=False, comment="an outcome or a stage, say; or empty"
        ),
        sa.Column("bound", sa.Float(), nullable=False, comment="of a bucket; 0 for a plain total"),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source", "name", "label", "bound", name=op.f("pk_total")),
        comment="what all runs of a source add up to; never less than before",
    )
    op.create_table(
        "canary",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("written_at", _WHEN, nullable=False),
        sa.Column("lag_seconds", sa.Float(), comment="until a search found it; null if none did"),
        sa.Column("error", sa.Text(), comment="why it was not found, in one line"),
        sa.PrimaryKeyConstraint("source", "written_at", name=op.f("pk_canary")),
    )


def _create_freshness() -> None:
    op.create_table(
        "freshness",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="fresh, warning, error or unknown"),
        sa.Column("last_check", _WHEN),
        sa.Column("last_success", _WHEN),
        sa.Column("complete_as_of", _WHEN),
        sa.Column("newest_change_seen", _WHEN),
        sa.Column("newest_change_searchable", _WHEN),
        sa.Column("oldest_change_waiting", _WHEN),
        sa.Column("check_failed", sa.Boolean(), nullable=False),
        sa.Column(
            "n_stale", sa.Integer(), nullable=False, comment="documents that are served stale"
        ),
        sa.Column("n_lags", sa.Integer(), nullable=False, comment="changes that the lags are of"),
        sa.Column("n_backlog", sa.Integer(), nullable=False, comment="from before it was followed"),
        sa.Column("lag_p50", sa.Float()),
        sa.Column("lag_p95", sa.Float()),
        sa.Column("lag_p99", sa.Float()),
        sa.Column("lag_max", sa.Float()),
        sa.Column("n_in_time", sa.Integer(), nullable=False, comment="of them, those in objective"),
        sa.Column("generation", sa.String(length=16), comment="that the chunks are of"),
        sa.Column("n_searchable", sa.Integer(), nullable=False, comment="documents"),
        sa.Column("n_chunks", sa.Integer(), nullable=False),
        sa.Column(
            "within_s", sa.Float(), nullable=False, comment="since the row before: in objective"
        ),
        sa.Column("outside_s", sa.Float(), nullable=False, comment="since the row before: past it"),
        sa.Column(
            "unknown_s", sa.Float(), nullable=False, comment="since the row before: not known"
        ),
        sa.PrimaryKeyConstraint("source", "at", name=op.f("pk_freshness")),
        comment="how fresh sources were, at each look; fewer the longer ago",
    )


def downgrade() -> None:
    op.drop_table("canary")
    op.drop_table("total")
    op.drop_table("freshness")
    with op.batch_alter_table("run") as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_source_started_at"))
        batch_op.create_index(batch_op.f("ix_run_source"), ["source"])
    op.drop_column("outcome", "changed_at")
    with op.batch_alter_table("document") as batch_op:
        batch_op.drop_index(batch_op.f("ix_document_stale"))
        batch_op.drop_index(batch_op.f("ix_document_counted"))
        batch_op.drop_index(batch_op.f("ix_document_source_source_modified_at"))
        batch_op.drop_column("stale_since")
    with op.batch_alter_table("source") as batch_op:
        batch_op.drop_column("complete_as_of")
