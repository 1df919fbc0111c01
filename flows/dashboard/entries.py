"""The quarantine: groups of what failed alike, entries, and what a person does about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.engine import RowMapping

from flows.dashboard.listing import Listing, listed
from flows.dashboard.stores import Stores
from index.catalog import browsing, quarantine
from index.catalog.browsing import EntryFilter, Paging
from index.catalog.quarantine import EntryState
from parsers.reasons import REMEDIES, Reason


@dataclass(frozen=True, slots=True)
class EntryGroup:
    """Entries whose documents failed in one way."""

    group: str
    source: str
    state: str
    detail: str
    """Of the first."""
    n_entries: int
    first_id: str
    first_uri: str
    first_seen_at: datetime
    last_seen_at: datetime
    n_attempts: int
    """Of the one that was tried most often."""


@dataclass(frozen=True, slots=True)
class ReasonGroups:
    """All that failed for one reason, with what to do about it."""

    code: str
    remedy: str
    n_entries: int
    groups: Sequence[EntryGroup]


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry in a list."""

    id: str
    document_id: str
    source: str
    uri: str
    code: str
    detail: str
    stage: str
    group: str
    state: str
    first_seen_at: datetime
    last_seen_at: datetime
    n_attempts: int


@dataclass(frozen=True, slots=True)
class EntryEvent:
    """What somebody did about an entry."""

    at: str
    who: str
    what: str
    why: str | None


@dataclass(frozen=True, slots=True)
class EntryDetail:
    """All that is known of an entry."""

    entry: EntryLine
    remedy: str
    sha256: str | None
    parser: str
    traceback: str
    history: Sequence[EntryEvent]


def list_groups(stores: Stores, source: str | None) -> list[ReasonGroups]:
    """What is not resolved, by reason; the reason with most entries first."""
    with stores.catalog().reading() as connection:
        rows = quarantine.group_entries(connection, source)
    by_code: dict[str, list[EntryGroup]] = {}
    for row in rows:
        by_code.setdefault(row["code"], []).append(_group(row))
    found = [
        ReasonGroups(code, remedy(code), sum(one.n_entries for one in groups), groups)
        for code, groups in by_code.items()
    ]
    return sorted(found, key=lambda one: (-one.n_entries, one.code))


def _group(row: RowMapping) -> EntryGroup:
    values = {name: value for name, value in row.items() if name not in ("failure_group", "code")}
    return EntryGroup(group=row["failure_group"], **values)


def remedy(code: str) -> str:
    """What a person can do about a reason, in words."""
    return REMEDIES[Reason(code)]


def list_entries(stores: Stores, wanted: EntryFilter, paging: Paging) -> Listing[EntryLine]:
    """Entries by source and uri."""
    with stores.catalog().reading() as connection:
        rows = browsing.page_of_entries(connection, wanted, paging)
        n_rows = browsing.count_entries(connection, wanted)
    return listed([_line(row) for row in rows], n_rows, paging)


def _line(row: RowMapping) -> EntryLine:
    names = (
        "id",
        "document_id",
        "source",
        "uri",
        "code",
        "detail",
        "stage",
        "state",
        "first_seen_at",
        "last_seen_at",
        "n_attempts",
    )
    return EntryLine(**{name: row[name] for name in names}, group=row["failure_group"])


def count_states(stores: Stores) -> dict[str, int]:
    """How many entries there are in each state."""
    with stores.catalog().reading() as connection:
        return browsing.count_entries_by_state(connection)


def find_entry(stores: Stores, entry_id: str) -> EntryDetail | None:
    """All that is known of an entry; None if there is none with this id."""
    with stores.catalog().reading() as connection:
        found = browsing.entries_by_id(connection, [entry_id])
    if not found:
        return None
    (row,) = found
    return EntryDetail(
        entry=_line(row),
        remedy=remedy(row["code"]),
        sha256=row["sha256"],
        parser=row["parser"],
        traceback=row["traceback"],
        history=[_event(one) for one in reversed(row["history"])],
    )


def _event(written: Mapping[str, str | None]) -> EntryEvent:
    return EntryEvent(
        written["at"] or "", written["who"] or "", written["what"] or "", written.get("why")
    )


def chosen_ids(stores: Stores, ids: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Ids of entries that were chosen one by one or as groups, and are there; without repetition.

    A group stands for those of it that are open.
    """
    with stores.catalog().reading() as connection:
        chosen = [row["id"] for row in browsing.entries_by_id(connection, ids)]
        for group in groups:
            of_group = EntryFilter(group=group, state=EntryState.OPEN)
            chosen += browsing.ids_of_entries(connection, of_group)
    return list(dict.fromkeys(chosen))


def move_entries(stores: Stores, ids: Sequence[str], to: EntryState, who: str, why: str) -> None:
    """Give entries another state, and note who did it and why.

    Raises:
        StoreUnavailable: The catalog cannot be written to.
    """
    with stores.catalog().writing() as connection:
        rows = browsing.entries_by_id(connection, ids)
        quarantine.move(connection, rows, to, who=who, why=why, now=datetime.now(UTC))
