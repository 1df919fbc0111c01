"""What a run says of itself when it ends: the object that `headwater ingest --json` prints."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from checks.freshness import percentiles
from flows.runs.clock import StageRecord
from index.catalog.runs import RunState
from index.plan import Outcome
from index.publishing import Written
from parsers.reasons import Reason

_LAGS: Final = ("p50", "p95", "p99", "max")
_SHOWN: Final = 20
"""Uris of those that the removal guard kept."""
_STAGES: Final = (
    "scan", "read", "parse", "judge", "chunk", "validate", "embed", "upsert", "settle"
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What a run, or a part of it, has done; parts add up."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of quarantined documents."""
    rules: Counter[str] = field(default_factory=Counter)
    """That excluded the skipped documents."""
    n_released: int = 0
    """Documents from quarantine that were tried again, for something changed that may help."""
    n_chunks: int = 0
    n_rejected: int = 0
    written: Written = Written()

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.outcomes + other.outcomes,
            self.reasons + other.reasons,
            self.rules + other.rules,
            self.n_released + other.n_released,
            self.n_chunks + other.n_chunks,
            self.n_rejected + other.n_rejected,
            self.written + other.written,
        )


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run that has ended."""

    run_id: str
    source: str
    state: RunState
    n_found: int
    tally: Tally
    seconds: Mapping[str, float]
    """By stage, with `total` and `other`."""
    lags: Sequence[float]
    """Seconds from change to searchable, of each document that became so."""
    balanced: bool
    stages: Mapping[str, StageRecord] = field(default_factory=dict)
    """What was done in each."""
    lags_followed: Sequence[float] = ()
    """Of `lags`, those of changes since the source is followed."""
    took_over: Sequence[str] = ()
    """Runs of the source that had been killed."""
    withheld: Sequence[str] = ()
    """Uris that the removal guard kept from being removed."""
    notes: Sequence[str] = ()
    """What else whoever runs it should know, a line each."""
    checks: Mapping[str, Any] = field(default_factory=dict)
    """See `flows.metadata.verdicts`."""
    error: str = ""
    """One line, if the run failed."""
    code: Reason | None = None
    """Of the world's fault that ended it, if one did."""

    def as_json(self) -> dict[str, Any]:
        """For `--json`, the catalog and the Prefect artifact."""
        tally, written = self.tally, self.tally.written
        documents = {"found": self.n_found}
        documents |= {outcome.value: tally.outcomes.get(outcome, 0) for outcome in Outcome}
        lag = percentiles(self.lags)
        return {
            "run_id": self.run_id,
            "source": self.source,
            "state": self.state.value,
            "documents": documents,
            "reasons": dict(sorted(tally.reasons.items())),
            "rules": dict(sorted(tally.rules.items())),
            "chunks": {
                "made": tally.n_chunks,
                "valid": tally.n_chunks - tally.n_rejected,
                "rejected": tally.n_rejected,
                "embedded": written.embedded,
                "reused": written.reused,
                "written": written.written,
                "updated": written.updated,
                "deleted": written.deleted,
            },
            "tokens": {"embedded": written.tokens_embedded, "reused": written.tokens_reused},
            "seconds": self._rounded_seconds(),
            "stages": {name: _stage(record) for name, record in self.stages.items()},
            "lag_seconds": lag and {name: round(getattr(lag, name), 1) for name in _LAGS},
            "balanced": self.balanced,
            "checks": dict(self.checks),
            "took_over": list(self.took_over),
            "removal_withheld": len(self.withheld),
            "would_remove": list(self.withheld[:_SHOWN]),
            "code": self.code,
            "released": tally.n_released,
            "notes": list(self.notes),
            "error": self.error or None,
        }

    def _rounded_seconds(self) -> dict[str, float]:
        """All stages, and under `other` what is not accounted for."""
        named = {stage: round(self.seconds.get(stage, 0.0), 3) for stage in _STAGES}
        total = round(self.seconds.get("total", 0.0), 3)
        return {"total": total, **named, "other": round(total - sum(named.values()), 3)}


def _stage(record: StageRecord) -> dict[str, float | None]:
    """How long each pass took, one batch or one document, and what was worked on in all."""
    found = percentiles(record.passes)
    return {
        "seconds": round(record.seconds, 3),
        "passes": len(record.passes),
        **{name: round(getattr(found, name), 4) if found else None for name in _LAGS},
        **asdict(record.amounts),
    }


def as_markdown(report: Mapping[str, Any]) -> str:
    """A run's report, as `RunReport.as_json` gives it, for people."""
    lines = [f"**{report['source']}**: {report['state'].replace('_', ' ')}", ""]
    if report["error"]:
        lines += [report["error"], ""]
    for part in ("documents", "reasons", "rules", "chunks", "tokens", "seconds"):
        rows = {name: n for name, n in report[part].items() if n}
        if rows:
            lines += [f"| {part} | |", "|---|---:|"]
            lines += [f"| {name} | {n:,} |" for name, n in rows.items()]
            lines.append("")
    lines.append("Balanced." if report["balanced"] else "**Does not balance.**")
    return "\n".join(lines)
