"""Looking around in the catalog: pages that hold everything once, in order."""

from datetime import timedelta

import pytest

from index.catalog import browsing
from index.catalog.browsing import DocumentFilter, EntryFilter, Paging
from index.catalog.documents import Seen, mark_removed, save_seen
from index.catalog.quarantine import EntryState, Failed, move, record_failures
from index.catalog.runs import RunState, end_run, start_run
from index.identity import document_id
from index.plan import Outcome
from parsers.reasons import Reason
from tests.index.conftest import NOW


def seen(source: str, uri: str) -> Seen:
    return Seen(document_id(source, uri), source, uri, "t", True, 1, NOW, "0" * 64, "text/x", "p")


@pytest.fixture
def documents(catalog) -> list[tuple[str, str]]:
    names = [(source, f"{n:02}.md") for source in ("a", "b") for n in range(17)]
    with catalog.writing() as connection:
        save_seen(connection, [seen(*name) for name in names], Outcome.INDEXED, NOW)
        mark_removed(connection, [document_id("b", "16.md")], NOW)
    return names[:-1]


@pytest.mark.parametrize("sorted_", [0, 10_000])
@pytest.mark.parametrize("size", [1, 4, 10, 33, 100])
def test_the_pages_together_are_all_documents_once_and_in_order(
    catalog, documents, size, sorted_, monkeypatch
):
    monkeypatch.setattr(browsing, "_SORTED", sorted_)
    with catalog.reading() as connection:
        n_items = browsing.count_documents(connection, DocumentFilter())
        pages = [
            browsing.page_of_documents(connection, DocumentFilter(), Paging(size, n), n_items)
            for n in range(1, n_items // size + 3)
        ]
    assert [(row["source"], row["uri"]) for page in pages for row in page] == documents
    assert all(len(page) <= size for page in pages)


def test_a_filter_holds_for_all_that_is_shown(catalog, documents):
    def uris(**wanted: object) -> list[str]:
        chosen = DocumentFilter(**wanted)
        with catalog.reading() as connection:
            n_items = browsing.count_documents(connection, chosen)
            rows = browsing.page_of_documents(connection, chosen, Paging(100), n_items)
            assert len(rows) == n_items
            return [row["uri"] for row in rows]

    assert uris(source="b", words="1") == ["01.md", *(f"{n}.md" for n in range(10, 16))]
    assert uris(words="07.MD") == ["07.md", "07.md"]
    assert uris(words="_7") == uris(words="%") == []
    assert uris(outcome=Outcome.REMOVED) == ["16.md"]
    assert uris(outcome=Outcome.QUARANTINED) == []


def test_runs_come_newest_first_and_the_last_of_each_source_is_known(catalog):
    with catalog.writing() as connection:
        for number in range(5):
            source, began = "ab"[number % 2], NOW + timedelta(hours=number)
            options = {"source": source, "root": "/", "flow_run_id": None, "now": began}
            start_run(connection, run_id=str(number), **options)
            end_run(connection, str(number), RunState.COMPLETED, began, report={"n": number})
    with catalog.reading() as connection:
        assert [row["id"] for row in browsing.page_of_runs(connection, None, Paging(2, 2))] == [
            "2",
            "1",
        ]
        assert [row["report"] for row in browsing.page_of_runs(connection, "b", Paging(9))] == [
            {"n": 3},
            {"n": 1},
        ]
        assert browsing.count_runs(connection, "a") == 3
        last = browsing.last_runs(connection)
        assert {name: row["id"] for name, row in last.items()} == {"a": "4", "b": "3"}


def test_entries_are_chosen_by_state_reason_and_group(catalog, documents):
    failures = [
        Failed(
            document_id("a", f"{n:02}.md"), "a", f"{n:02}.md", None, code, f"at byte {n}", "parse"
        )
        for n, code in enumerate((Reason.CORRUPT, Reason.CORRUPT, Reason.ENCRYPTED))
    ]
    with catalog.writing() as connection:
        record_failures(connection, failures, NOW)
        first = browsing.entries_by_id(connection, [failures[0].document_id[:12], "none"])
        move(connection, first, EntryState.IGNORED, who="ann", why="noise", now=NOW)
    with catalog.reading() as connection:
        group = failures[0].group
        assert browsing.count_entries(connection, EntryFilter()) == 3
        assert browsing.count_entries(connection, EntryFilter(group=group)) == 2
        is_open = EntryFilter(group=group, state=EntryState.OPEN)
        assert browsing.ids_of_entries(connection, is_open) == [failures[1].document_id[:12]]
        shown = browsing.page_of_entries(connection, EntryFilter(code="encrypted"), Paging(5))
        assert [row["uri"] for row in shown] == ["02.md"]
        assert browsing.count_entries_by_state(connection) == {"ignored": 1, "open": 2}
        waiting = browsing.oldest_waiting(connection, "a", 5)
        assert [row["uri"] for row in waiting] == ["01.md", "02.md"]
