"""Validations and measures"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "validation",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("suite_version", sa.Text(), nullable=False, comment="of the metadata contract"),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n_chunks", sa.Integer(), nullable=False),
        sa.Column("n_invalid", sa.Integer(), nullable=False, comment="chunks that break a promise"),
        sa.Column(
            "n_dropped", sa.Integer(), nullable=False, comment="invalid ones that were left out"
        ),
        sa.Column("n_warned", sa.Integer(), nullable=False, comment="chunks with a warning"),
        sa.Column(
            "failures", sa.JSON(), nullable=False, comment="field, rule, severity, n, chunk_ids"
        ),
        sa.Column("origins", sa.JSON(), nullable=False, comment="by field, what gave its value"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_validation_run_id")),
        sa.PrimaryKeyConstraint("run_id", "document_id", name=op.f("pk_validation")),
        comment="what came of holding the chunks of a document against the contract",
    )
    op.create_table(
        "measure",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("before", sa.Float(), nullable=True, comment="in the last run that did not fail"),
        sa.Column("verdict", sa.Text(), nullable=False, comment="passed, warning or failed"),
        sa.Column("bound", sa.Float(), nullable=True, comment="that it is beyond"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_measure_run_id")),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_measure")),
        comment="numbers of a whole run",
    )


def downgrade() -> None:
    op.drop_table("measure")
    op.drop_table("validation")
