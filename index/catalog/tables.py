"""The tables of the catalog. A change here needs a migration under `index/migrations`."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A moment, kept and returned in UTC; SQLite has no time zones of its own."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

source = sa.Table(
    "source",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("root", sa.Text, nullable=False, comment="where it is: a path or an fsspec URL"),
    sa.Column("first_seen_at", UtcDateTime, nullable=False),
    sa.Column("last_check_at", UtcDateTime, comment="last time that it was listed"),
    sa.Column("last_success_at", UtcDateTime, comment="end of the last run that did not fail"),
    sa.Column("complete_as_of", UtcDateTime, comment="when that run began to list it"),
    sa.Column(
        "n_left", sa.Integer, nullable=False, server_default="0", comment="that run had no room for"
    ),
    sa.Column("left_since", UtcDateTime, comment="oldest change among these; null without any"),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="ingest or reprocess"),
    sa.Column("flow_run_id", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("error", sa.Text, comment="one line, where the run failed"),
    sa.Column("report", sa.JSON, comment="what the run printed when it ended"),
    sa.Index(None, "source", "started_at"),
)

generation = sa.Table(
    "generation",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("chunker", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="building, ready, live, kept, dropped"),
    sa.Column("built_up_to", sa.String(32), comment="document.id that building has come to"),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(
        "uq_generation_live",
        "state",
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    ),
)

reign = sa.Table(
    "reign",
    metadata,
    sa.Column("generation", sa.String(16), primary_key=True),
    sa.Column("since", UtcDateTime, primary_key=True),
    sa.Column("until", UtcDateTime, comment="null while it lasts"),
    comment="when which generation was the one that is searched",
)

document = sa.Table(
    "document",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False, comment="of the last run that read it"),
    sa.Column("stat_token", sa.Text, nullable=False, comment="equal means unchanged, unread"),
    sa.Column("stat_trusted", sa.Boolean, nullable=False),
    sa.Column("n_bytes", sa.BigInteger, nullable=False),
    sa.Column("source_modified_at", UtcDateTime),
    sa.Column("sha256", sa.String(64), comment="of the bytes last read; null if never read"),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("parser_key", sa.Text, nullable=False, comment="parser and options last used"),
    sa.Column("current_version", sa.Integer, comment="version.id of what is searchable"),
    sa.Column("first_seen_at", UtcDateTime, nullable=False),
    sa.Column("removed_at", UtcDateTime, comment="when it was found gone from its source"),
    sa.Column("stale_since", UtcDateTime, comment="what is searchable is not what it says since"),
    sa.UniqueConstraint("source", "uri"),
    sa.Index(None, "source", "source_modified_at"),
    # Counted from the index alone: metrics ask often, and documents are many.
    sa.Index(
        "ix_document_stale",
        "source",
        "stale_since",
        sqlite_where=sa.text("stale_since IS NOT NULL"),
        postgresql_where=sa.text("stale_since IS NOT NULL"),
    ),
    sa.Index(
        "ix_document_counted", "source", "removed_at", "outcome", "current_version", "stale_since"
    ),
)

version = sa.Table(
    "version",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version_id", sa.String(32), nullable=False),
    sa.Column("document_id", sa.String(32), sa.ForeignKey("document.id"), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("text_key", sa.String(64), nullable=False, comment="where its text is stored"),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("parser", sa.Text, nullable=False),
    sa.Column("parser_version", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("properties", sa.JSON, nullable=False, comment="metadata beyond the contract's own"),
    sa.Column("problems", sa.JSON, nullable=False, comment="pages left out: number, code, detail"),
    sa.Column("source_modified_at", UtcDateTime),
    sa.Column("run_id", sa.String(32), nullable=False),
    sa.Column("indexed_at", UtcDateTime, nullable=False, comment="when it became searchable"),
    sa.Column("retired_at", UtcDateTime, comment="when it ceased to be; null while it is"),
    sa.Index(None, "document_id"),
    sa.Index(None, "text_key"),
    sa.Index(None, "retired_at"),
)


def _placement() -> list[sa.Column[Any]]:
    """Where a chunk stands, and under which embedding its vector is cached."""
    return [
        sa.Column("generation", sa.String(16), nullable=False),
        sa.Column("document_id", sa.String(32), sa.ForeignKey("document.id"), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("char_start", sa.Integer, nullable=False),
        sa.Column("char_end", sa.Integer, nullable=False),
        sa.Column("heading_path", sa.JSON, nullable=False),
        sa.Column("page_first", sa.Integer),
        sa.Column("page_last", sa.Integer),
        sa.Column("n_tokens", sa.Integer, nullable=False),
        sa.Column("embedding_key", sa.String(32), nullable=False, index=True),
    ]


chunk = sa.Table(
    "chunk",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("version", sa.Integer, sa.ForeignKey("version.id"), nullable=False, index=True),
    *_placement(),
    sa.Index(None, "document_id", "ordinal"),
    comment="of all generations, those of the current versions",
)

past_chunk = sa.Table(
    "past_chunk",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("version", sa.Integer, sa.ForeignKey("version.id"), primary_key=True),
    *_placement(),
    sa.Index(None, "version"),
    comment="what was searchable while its version was current and its generation reigned",
)

embedding = sa.Table(
    "embedding",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False, comment="float32, little-endian"),
)

intent = sa.Table(
    "intent",
    metadata,
    sa.Column("chunk_id", sa.String(32), primary_key=True),
    sa.Column("generation", sa.String(16), nullable=False),
    sa.Column("source", sa.Text, nullable=False, index=True),
    comment="chunks whose vector may differ from the catalog until the row is gone",
)

reconciliation = sa.Table(
    "reconciliation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("generation", sa.String(16), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("agrees", sa.Boolean, nullable=False, comment="before anything was mended"),
    sa.Column("repaired", sa.Boolean, nullable=False),
    sa.Column("report", sa.JSON, nullable=False),
)

erased = sa.Table(
    "erased",
    metadata,
    sa.Column("document_id", sa.String(32), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("erased_at", UtcDateTime, nullable=False),
    sa.Column("erased_by", sa.Text, nullable=False),
    comment="documents that are excluded, with all that they hold, until they are allowed again",
)

outcome = sa.Table(
    "outcome",
    metadata,
    sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("document_id", sa.String(32), primary_key=True),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False, comment="all but unchanged, which is not stored"),
    sa.Column("code", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("lag_seconds", sa.Float, comment="from its modification until it was searchable"),
    sa.Column("changed_at", UtcDateTime, comment="that modification, or when it was first seen"),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("document_id", sa.String(32), sa.ForeignKey("document.id"), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64)),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False, comment="read, parse, judge or validate"),
    sa.Column("parser", sa.Text, nullable=False),
    sa.Column("traceback", sa.Text, nullable=False),
    sa.Column("failure_group", sa.String(12), nullable=False, comment="equal for equal failures"),
    sa.Column("first_seen_at", UtcDateTime, nullable=False),
    sa.Column("last_seen_at", UtcDateTime, nullable=False),
    sa.Column("n_attempts", sa.Integer, nullable=False, comment="how often it was parsed"),
    sa.Column("state", sa.Text, nullable=False, comment="open, retrying, resolved or ignored"),
    sa.Column("history", sa.JSON, nullable=False, comment="who did what, when and why"),
    sa.UniqueConstraint("document_id"),
    sa.Index(None, "state", "source"),
)

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True, comment="empty: all of them"),
    sa.Column("severity", sa.Text, nullable=False, comment="the highest since it started"),
    sa.Column("summary", sa.Text, nullable=False, comment="as it was last told"),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("told_at", UtcDateTime, nullable=False, comment="when its last message was written"),
    sa.Column("told_until", UtcDateTime, comment="of what it lists: the newest that was told"),
    sa.Column("resolved_at", UtcDateTime, comment="when it ended; null while it is on"),
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False, comment="its name in the settings"),
    sa.Column("phase", sa.Text, nullable=False, comment="what it tells of the alert"),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="pending, delivered or failed"),
    sa.Column("n_attempts", sa.Integer, nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False, comment="not to be tried before"),
    sa.Column("claimed_until", UtcDateTime, comment="a sender has it until then"),
    sa.Column("delivered_at", UtcDateTime),
    sa.Column("error", sa.Text, comment="why the last attempt failed, in words of our own"),
    sa.Index(None, "state", "target"),
    comment="messages of alerts, each to one target: the outbox",
)

validation = sa.Table(
    "validation",
    metadata,
    sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("document_id", sa.String(32), primary_key=True),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("suite_version", sa.Text, nullable=False, comment="of the metadata contract"),
    sa.Column("checked_at", UtcDateTime, nullable=False),
    sa.Column("n_chunks", sa.Integer, nullable=False),
    sa.Column("n_invalid", sa.Integer, nullable=False, comment="chunks that break a promise"),
    sa.Column("n_dropped", sa.Integer, nullable=False, comment="invalid ones that were left out"),
    sa.Column("n_warned", sa.Integer, nullable=False, comment="chunks with a warning"),
    sa.Column("failures", sa.JSON, nullable=False, comment="field, rule, severity, n, chunk_ids"),
    sa.Column("origins", sa.JSON, nullable=False, comment="by field, what gave its value"),
    comment="what came of holding the chunks of a document against the contract",
)

measure = sa.Table(
    "measure",
    metadata,
    sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("before", sa.Float, comment="in the last run that did not fail"),
    sa.Column("verdict", sa.Text, nullable=False, comment="passed, warning or failed"),
    sa.Column("bound", sa.Float, comment="that it is beyond"),
    comment="numbers of a whole run",
)

freshness = sa.Table(
    "freshness",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("at", UtcDateTime, primary_key=True),
    sa.Column("state", sa.Text, nullable=False, comment="fresh, warning, error or unknown"),
    sa.Column("last_check", UtcDateTime),
    sa.Column("last_success", UtcDateTime),
    sa.Column("complete_as_of", UtcDateTime),
    sa.Column("newest_change_seen", UtcDateTime),
    sa.Column("newest_change_searchable", UtcDateTime),
    sa.Column("oldest_change_waiting", UtcDateTime),
    sa.Column("check_failed", sa.Boolean, nullable=False),
    sa.Column("n_stale", sa.Integer, nullable=False, comment="documents that are served stale"),
    sa.Column("n_lags", sa.Integer, nullable=False, comment="changes that the lags are of"),
    sa.Column("n_backlog", sa.Integer, nullable=False, comment="from before it was followed"),
    sa.Column("lag_p50", sa.Float),
    sa.Column("lag_p95", sa.Float),
    sa.Column("lag_p99", sa.Float),
    sa.Column("lag_max", sa.Float),
    sa.Column("n_in_time", sa.Integer, nullable=False, comment="of them, those in objective"),
    sa.Column("generation", sa.String(16), comment="that the chunks are of"),
    sa.Column("n_searchable", sa.Integer, nullable=False, comment="documents"),
    sa.Column("n_chunks", sa.Integer, nullable=False),
    sa.Column("within_s", sa.Float, nullable=False, comment="since the row before: in objective"),
    sa.Column("outside_s", sa.Float, nullable=False, comment="since the row before: past it"),
    sa.Column("unknown_s", sa.Float, nullable=False, comment="since the row before: not known"),
    comment="how fresh sources were, at each look; fewer the longer ago",
)

total = sa.Table(
    "total",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True, comment="an outcome or a stage, say; or empty"),
    sa.Column("bound", sa.Float, primary_key=True, comment="of a bucket; 0 for a plain total"),
    sa.Column("value", sa.Float, nullable=False),
    comment="what all runs of a source add up to; never less than before",
)

canary = sa.Table(
    "canary",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("written_at", UtcDateTime, primary_key=True),
    sa.Column("lag_seconds", sa.Float, comment="until a search found it; null if none did"),
    sa.Column("error", sa.Text, comment="why it was not found, in one line"),
)
