"""Generations beside the live one, what was searchable when, and what is erased"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "erased",
        sa.Column("document_id", sa.String(length=32), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_by", sa.Text(), nullable=False),
    )
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("generation", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("repaired", sa.Boolean(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
    )
    op.create_table(
        "past_chunk",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("version", sa.Integer(), sa.ForeignKey("version.id"), primary_key=True),
        sa.Column("generation", sa.String(length=16), nullable=False),
        sa.Column(
            "document_id", sa.String(length=32), sa.ForeignKey("document.id"), nullable=False
        ),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("char_start", sa.Integer(), nullable=False),
        sa.Column("char_end", sa.Integer(), nullable=False),
        sa.Column("heading_path", sa.JSON(), nullable=False),
        sa.Column("page_first", sa.Integer(), nullable=True),
        sa.Column("page_last", sa.Integer(), nullable=True),
        sa.Column("n_tokens", sa.Integer(), nullable=False),
        sa.Column("embedding_key", sa.String(length=32), nullable=False),
    )
    for column in ("embedding_key", "version"):
        op.create_index(f"ix_past_chunk_{column}", "past_chunk", [column])
        op.create_index(f"ix_chunk_{column}", "chunk", [column])
    for column in ("text_key", "retired_at"):
        op.create_index(f"ix_version_{column}", "version", [column])
    with op.batch_alter_table("run") as run:
        run.add_column(sa.Column("kind", sa.Text(), nullable=False, server_default="ingest"))
    with op.batch_alter_table("run") as run:
        run.alter_column("kind", existing_type=sa.Text(), server_default=None)
    _let_generations_stand_side_by_side()
    _name_the_source_of_intents()


def _let_generations_stand_side_by_side() -> None:
    op.create_table(
        "reign",
        sa.Column("generation", sa.String(length=16), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
    )
    op.execute("INSERT INTO reign (generation, since) SELECT id, created_at FROM generation")
    with op.batch_alter_table("generation") as generation:
        generation.add_column(sa.Column("state", sa.Text(), nullable=False, server_default="live"))
        generation.add_column(sa.Column("built_up_to", sa.String(length=32), nullable=True))
        generation.drop_column("is_live")
    with op.batch_alter_table("generation") as generation:
        generation.alter_column("state", existing_type=sa.Text(), server_default=None)
    op.create_index(
        "uq_generation_live",
        "generation",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )


def _name_the_source_of_intents() -> None:
    with op.batch_alter_table("intent") as intent:
        intent.add_column(sa.Column("source", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE intent SET source = coalesce("
        "(SELECT run.source FROM run WHERE run.id = intent.run_id), '')"
    )
    with op.batch_alter_table("intent") as intent:
        intent.alter_column("source", existing_type=sa.Text(), server_default=None)
        intent.drop_column("run_id")
    op.create_index("ix_intent_source", "intent", ["source"])
