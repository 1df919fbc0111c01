"""What alerts say: what is the matter, and what to do about it, in words.

Names of documents and counts, and never a word that a document holds.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from checks import corpus
from checks.alerts import Condition, Kind, in_words
from checks.freshness import FreshnessState, Objective
from index.catalog.alerts import Severity
from index.catalog.measures import Measure
from index.catalog.quarantine import Digest
from parsers.reasons import REMEDIES, Reason

_N_SHOWN: Final = 10
_MAX_NAME: Final = 200
_PINGS: Final = re.compile(r"([@!])(?=everyone|here|channel|all\b|subteam)", re.IGNORECASE)
"""What makes some receivers call everybody."""
_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]*@")
_PARAMETERS: Final = re.compile(r"\?\S+")


def quarantined(
    source: str, new: Digest, everything: Digest, *, share: float | None, max_share: float
) -> Condition:
    """Documents that could not be read: one digest for a run and source.

    Args:
        source: Its name.
        new: The entries that nobody was told of.
        everything: All that are open.
        share: Of the documents found, 0 to 1; None if that is not known.
        max_share: Above which it is an error.
    """
    is_much = share is not None and share > max_share and everything.n_entries > 1
    told = new if new.n_entries else everything
    summary = _documents(told.n_entries, "new " if new.n_entries else "") + " in quarantine"
    if 0 < new.n_entries < everything.n_entries:
        summary += f", {everything.n_entries:,} in all"
    lines = [_too_many(share, max_share), ""] if is_much else []
    lines += [_reason(code, n) for code, n in _most_first(told.counts)]
    lines += ["", *_names([f"{uri} ({code})" for uri, code in told.first], told.n_entries)]
    lines += ["", f"See each with its cause: headwater quarantine list --source {source}"]
    lines += ["Mended or replaced files are read by the next run."]
    severity = Severity.ERROR if is_much else Severity.WARNING
    body = "\n".join(lines)
    return Condition(Kind.QUARANTINE, source, severity, summary, body, everything.newest)


def _too_many(share: float | None, max_share: float) -> str:
    return f"{share:.0%} of what was found is in quarantine; more than {max_share:.0%} is too much."


def _reason(code: str, n: int) -> str:
    return f"{n:,} {code}: {REMEDIES[Reason(code)]}"


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def removal_withheld(source: str, uris: Sequence[str]) -> Condition:
    """The removal guard stopped a run."""
    n = len(uris)
    lines = [
        f"{_documents(n)} that can be found by a search are gone from the source: more than the "
        "removal guard lets go at once. None was removed.",
        "",
        *_names(uris[:_N_SHOWN], n),
        "",
        "If the source is incomplete, restore it: the next run goes on.",
        f"If they are meant to be gone: headwater ingest {source} --allow-removal",
    ]
    summary = f"{_documents(n)} would be removed, and none was"
    return Condition(Kind.REMOVAL_GUARD, source, Severity.ERROR, summary, "\n".join(lines))


def run_failed(source: str, said: str) -> Condition:
    """A run ended early, or does not balance; `said` is its error in one line."""
    body = (
        f"{without_secrets(said)}\n\nWhat was indexed before can still be found; what changed "
        f"since cannot.\nRun again and see: headwater ingest {source}"
    )
    return Condition(Kind.RUN, source, Severity.ERROR, "the run failed", body)


def run_interrupted(source: str, *, killed: bool) -> Condition:
    """A run was told to stop, or its process was ended from outside."""
    how = (
        "The process of a run was killed, or its machine went down."
        if killed
        else ("A run was told to stop before it came to its end.")
    )
    body = (
        f"{how} Nothing is lost: the next run goes on where it ended.\nIf this happens again, look "
        f"for the memory that is left on the machine.\nRun again: headwater ingest {source}"
    )
    return Condition(Kind.RUN, source, Severity.WARNING, "a run was interrupted", body)


def source_unavailable(source: str, said: str) -> Condition:
    """The source could not be listed."""
    body = (
        f"{without_secrets(said)}\n\nNothing was changed in the index: it is as it was after the "
        f"last run that succeeded.\n{REMEDIES[Reason.SOURCE_UNREADABLE]}\nCheck: headwater doctor"
    )
    summary = "the source cannot be read"
    return Condition(Kind.SOURCE_UNAVAILABLE, source, Severity.ERROR, summary, body)


def store_unavailable(said: str, remedy: str) -> Condition:
    """A store failed, which every source needs."""
    body = (
        f"{without_secrets(said)}\n{remedy}\n\nNo source is followed until then. What was begun "
        "is finished or undone by the next run.\nCheck: headwater doctor"
    )
    summary = "a store is unavailable"
    return Condition(Kind.STORE_UNAVAILABLE, "", Severity.ERROR, summary, body)


def stale(source: str, state: FreshnessState, age: timedelta, objective: Objective) -> Condition:
    """Changes at the source have not been searchable for longer than the objective allows."""
    severity = Severity.ERROR if state is FreshnessState.ERROR else Severity.WARNING
    summary = f"stale for {in_words(age)}"
    body = (
        f"What changed at the source in the last {in_words(age)} may not be found by a search. "
        f"The objective: a warning after {in_words(objective.warn_after)}, an error after "
        f"{in_words(objective.error_after)}.\nSee why: headwater status\n"
        f"Run now: headwater ingest {source}"
    )
    return Condition(Kind.FRESHNESS, source, severity, summary, body)


def drifted(faults: Mapping[str, int], *, n_mended: int) -> Condition:
    """The vector store differed from the catalog; `faults` counts chunks by what was wrong."""
    n = sum(faults.values())
    lines = [f"{count:,} {fault.replace('_', ' ')}" for fault, count in _most_first(faults)]
    lines += ["", "A search may have missed them, or found what is gone."]
    lines += (
        [f"{n_mended:,} were mended. Compare again: headwater reconcile"]
        if n_mended
        else ["Mend them: headwater reconcile --repair"]
    )
    summary = f"{n:,} chunk{'' if n == 1 else 's'} in the vector store differed from the catalog"
    severity = Severity.WARNING if n_mended >= n else Severity.ERROR
    return Condition(Kind.DRIFT, "", severity, summary, "\n".join(lines))


def heartbeat_failed(source: str, said: str) -> Condition:
    """The URL that is called when a run has come to its end could not be."""
    body = (
        f"A run came to its end, and its heartbeat URL: {said}.\nWhoever waits for it may raise a "
        "false alarm.\nCheck heartbeat_url in the settings, and the receiver. Call it again: "
        f"headwater ingest {source}"
    )
    summary = "the heartbeat does not arrive"
    return Condition(Kind.HEARTBEAT, source, Severity.WARNING, summary, body)


def out_of_bounds(source: str, measures: Sequence[Measure]) -> Condition:
    """Numbers of a whole run are beyond their thresholds: one that stops it is an error."""
    stopping = corpus.stopping(measures)
    said = [corpus.in_words(one) for one in measures]
    how = "The run is failed." if stopping else "The run is completed all the same."
    lines = [*said, "", f"{how} See all its numbers: headwater checks show"]
    if any(one.name == corpus.AGAINST_LAST for one in stopping):
        lines += [
            "Nothing was changed in the index. If the source is incomplete, restore it; if the "
            f"others are meant to be gone: headwater ingest {source} --allow-removal"
        ]
    lines += ["If a number is right, widen its bounds in the settings of the source."]
    severity = Severity.ERROR if stopping else Severity.WARNING
    summary = said[0] if len(said) == 1 else f"{len(said)} numbers are out of their bounds"
    return Condition(Kind.CORPUS_CHECK, source, severity, summary, "\n".join(lines))


def _documents(n: int, which: str = "") -> str:
    return f"{n:,} {which}document{'' if n == 1 else 's'}"


def _names(names: Sequence[str], n_all: int) -> list[str]:
    more = n_all - len(names)
    return [f"- {_printed(name)}" for name in names] + ([f"- and {more:,} more"] if more else [])


def _printed(name: str) -> str:
    """A name of a document on one line, of bounded length, that calls nobody."""
    line = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)
    if len(line) > _MAX_NAME:
        half = _MAX_NAME // 2
        line = f"{line[:half]}…{line[-half:]}"
    return _PINGS.sub("\\1\N{ZERO WIDTH SPACE}", line)


def without_secrets(said: str) -> str:
    """What a library said, on one line, without the passwords and keys that URLs hold."""
    line = (said.splitlines() or [""])[0]
    return _PARAMETERS.sub("?…", _CREDENTIALS.sub("", line))
