"""Required metadata: where it comes from, and what becomes of a document that has none."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.errors import UserError
from flows.explain import explain_uri
from flows.generations import build_generation, promote_generation
from flows.metadata.lookups import LookupFailed, Lookups
from flows.metadata.settings import LookupSettings
from flows.settings import load_settings
from flows.wiring import open_catalog
from index.catalog import tables
from index.catalog.chunks import all_chunks
from index.catalog.quarantine import unresolved
from tests.documents import zipped
from tests.flows.test_ingest import contents, found

pytestmark = pytest.mark.proof

OWNER = "[sources.metadata.owner]\nrequired = true\n"


@pytest.fixture
def run(ingest, tmp_path):
    """Runs over the folder as a source with these settings."""

    def run(rules: str, settings: str = "", **options: Any) -> dict[str, Any]:
        config = tmp_path / "headwater.toml"
        head = f'[[sources]]\nname = "s"\nuri = "docs"\n{settings}\n'
        config.write_text(f"{head}{rules}")
        return ingest("s", config=str(config), **options)

    return run


def owners(state: Path) -> dict[str, str | None]:
    return {one["uri"]: one.get("owner") for one in contents(state).values()}


def entries(state: Path) -> dict[str, tuple[str, str]]:
    """By uri, code and detail of what is in quarantine."""
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.reading() as connection:
        return {row["uri"]: (row["code"], row["detail"]) for row in unresolved(connection)}


def explained(state: Path, uri: str) -> dict[str, Any]:
    with open_catalog(load_settings(state_dir=state)) as catalog:
        (said,) = explain_uri(catalog, uri)
    return said


def test_each_resolver_gives_what_those_before_it_do_not(run, folder, state):
    (folder / "hr").mkdir()
    for name in ("own.md", "beside.md", "hr/path.md", "neither.md"):
        (folder / name).write_text("Words.\n")
    (folder / "own.md").write_text("---\nowner: Ann\n---\nWords.\n")
    (folder / "own.md.meta.json").write_text('{"owner": "Nobody"}')
    (folder / "beside.md.meta.yaml").write_text("Owner: Ben\n")
    report = run(OWNER + "from_path = '^(?P<owner>[^/]+)/'\ndefault = 'Chris'\n")
    found(report, found=6, indexed=4, skipped=2)
    assert report["rules"] == {"sidecar of another document": 2}
    assert owners(state) == {
        "own.md": "Ann",
        "beside.md": "Ben",
        "hr/path.md": "hr",
        "neither.md": "Chris",
    }
    resolved = {"document": 1, "sidecar": 1, "path": 1, "default": 1}
    assert report["checks"]["resolved"] == resolved
    assert explained(state, "beside.md")["field_origins"] == {"owner": "sidecar"}
    assert explained(state, "beside.md")["checks"]["suite_version"] == "2"


def test_what_nothing_fills_is_quarantined_and_its_neighbours_are_not(run, folder, state):
    for number in range(6):
        matter = "" if number in (1, 4) else f"---\nowner: O{number}\n---\n"
        (folder / f"{number}.md").write_text(f"{matter}# A\n\nWords.\n\n# B\n\nMore.\n")
    (folder / "bad.md").write_text("---\nowner: ACME\n---\nWords.\n")
    report = run(OWNER + "pattern = '^O'\n")
    found(report, found=7, indexed=4, quarantined=3)
    assert report["reasons"] == {"metadata_missing": 2, "metadata_invalid": 1}
    assert set(owners(state)) == {"0.md", "2.md", "3.md", "5.md"}
    said = entries(state)
    assert said["1.md"][0] == said["4.md"][0] == "metadata_missing"
    assert said["1.md"][1].startswith("owner: expect_column_values_to_not_be_null, in 2 of 2")
    assert "ACME" not in said["bad.md"][1]


def test_a_wrong_value_is_corrected_by_a_sidecar_and_never_by_a_default(run, folder, state):
    for name in ("a.md", "b.md"):
        (folder / name).write_text("---\naccess: secret\n---\nWords.\n")
    (folder / "a.md.meta.json").write_text('{"access": "staff"}')
    rules = "[sources.metadata.access]\nallowed = ['staff', 'public']\ndefault = 'public'\n"
    report = run(rules)
    found(report, found=3, indexed=1, quarantined=1, skipped=1)
    assert [one["access"] for one in contents(state).values()] == ["staff"]
    assert entries(state)["b.md"][0] == "metadata_invalid"


def test_settings_that_fill_a_field_bring_the_document_back(run, folder, state):
    (folder / "a.md").write_text("Words.\n")
    found(run(OWNER), found=1, quarantined=1)
    found(run(OWNER + "default = 'HR'\n"), found=1, indexed=1)
    again = run(OWNER + "default = 'IT'\n")
    found(again, found=1, indexed=1)
    assert again["chunks"]["embedded"] == again["chunks"]["written"] == 0
    assert owners(state) == {"a.md": "IT"}
    found(run(OWNER + "default = 'IT'\n"), found=1, unchanged=1)


def test_a_changed_sidecar_brings_new_metadata_and_embeds_nothing(run, folder, state):
    (folder / "a.md").write_text("Words.\n")
    (folder / "b.md").write_text("Other words.\n")
    (folder / "a.md.meta.json").write_text('{"owner": "Ann"}')
    rules = OWNER + "default = 'HR'\n"
    run(rules)
    (folder / "a.md.meta.json").write_text('{"owner": "Benjamin"}')
    report = run(rules)
    found(report, found=3, indexed=1, unchanged=1, skipped=1)
    assert report["chunks"]["embedded"] == report["chunks"]["written"] == 0
    assert report["chunks"]["updated"] == 1
    assert owners(state) == {"a.md": "Benjamin", "b.md": "HR"}
    (folder / "a.md.meta.json").unlink()
    found(run(rules), found=2, indexed=1, unchanged=1)
    assert owners(state) == {"a.md": "HR", "b.md": "HR"}
    found(run(rules), found=2, unchanged=2)


def test_the_sidecar_of_an_archive_speaks_for_its_members(run, folder, state):
    (folder / "all.zip").write_bytes(zipped(**{"x.txt": b"Words.", "y.txt": b"Others."}))
    (folder / "all.zip.meta.json").write_text('{"owner": "Ann"}')
    run(OWNER)
    (folder / "all.zip.meta.json").write_text('{"owner": "Ben"}')
    run(OWNER)
    assert owners(state) == {"all.zip!/x.txt": "Ben", "all.zip!/y.txt": "Ben"}


@pytest.mark.parametrize(
    "said", [b"{", b"[1]", b"\xff\xfe", b"[" * 50_000, b'"owner"'], ids=range(5)
)
def test_a_broken_sidecar_is_told_and_never_passed_over(run, folder, state, said):
    (folder / "a.md").write_text("Words.\n")
    (folder / "a.md.meta.json").write_bytes(said)
    found(run(OWNER + "default = 'HR'\n"), found=2, quarantined=1, skipped=1)
    code, detail = entries(state)["a.md"]
    assert (code, detail) == (
        "metadata_invalid",
        "sidecar a.md.meta.json is no object with fields",
    )


def test_a_file_that_only_looks_like_a_sidecar_is_a_document(run, folder):
    (folder / "alone.md.meta.json").write_text('{"owner": "Ann", "note": "words to read"}')
    found(run(""), found=1, indexed=1)


def test_a_warning_is_told_and_blocks_nothing(run, folder, state):
    (folder / "a.md").write_text("Words.\n")
    report = run(OWNER + "severity = 'warning'\n")
    found(report, found=1, indexed=1)
    assert report["state"] == "completed"
    (rule,) = report["checks"]["rules"]
    assert (rule["severity"], rule["field"], rule["chunks"]) == ("warning", "owner", 1)
    assert explained(state, "a.md")["checks"]["warned"] == 1


@pytest.fixture
def long_chunks(monkeypatch):
    """Has each chunk with BIG in it be too long for the model."""
    from index.chunking import chunk_document as real

    def with_one_too_long(*arguments: Any, **options: Any) -> Any:
        from dataclasses import replace

        chunks = real(*arguments, **options)
        return [replace(one, n_tokens=9_999) if "BIG" in one.text else one for one in chunks]

    monkeypatch.setattr("index.targets.chunk_document", with_one_too_long)


@pytest.mark.usefixtures("long_chunks")
def test_dropped_chunks_are_counted_listed_and_leave_the_others(run, folder, state):
    (folder / "a.md").write_text("# A\n\nWords.\n\n# B\n\nBIG words.\n\n# C\n\nMore.\n")
    (folder / "b.md").write_text("BIG words.\n")
    (folder / "c.md").write_text("Small words.\n")
    report = run("", "on_invalid_chunk = 'drop'")
    found(report, found=3, indexed=1, partial=1, quarantined=1)
    assert report["chunks"]["rejected"] == 2
    assert report["checks"]["dropped"] == 1
    assert {one["uri"]: one["ordinal"] for one in contents(state).values()} == {
        "a.md": 2,
        "c.md": 0,
    }
    said = explained(state, "a.md")
    assert said["searchable_version"]["left_out"][0]["code"] == "metadata_invalid"
    (rule,) = said["checks"]["rules"]
    assert (rule["n"], len(rule["chunk_ids"])) == (1, 1)
    assert rule["chunk_ids"][0] not in contents(state)


@pytest.mark.usefixtures("long_chunks")
def test_chunks_that_were_dropped_do_not_come_back_with_another_generation(
    run, folder, state, tmp_path
):
    (folder / "a.md").write_text("# A\n\nWords.\n\n# B\n\nBIG words.\n")
    (folder / "c.md").write_text("Small words.\n")
    drop = "on_invalid_chunk = 'drop'"
    run("", drop)
    smaller = "[index]\nchunk_tokens = 64\n"
    file = tmp_path / "smaller.toml"
    file.write_text(f'[[sources]]\nname = "s"\nuri = "docs"\n{drop}\n{smaller}')
    settings = load_settings(file, state)
    built = build_generation(settings)
    assert (built["documents"], built["chunks"], built["invalid"]) == (2, 1, ["a.md"])
    with pytest.raises(UserError, match="1 are not in it"):
        promote_generation(settings, built["generation"])
    found(run(smaller, drop), found=2, partial=1, unchanged=1)
    promote_generation(settings, built["generation"])
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        held = list(all_chunks(connection, built["generation"]))
    assert sorted(one.provenance.uri for one in held) == ["a.md", "c.md"]


class Owners(BaseHTTPRequestHandler):
    """Answers after so many failures."""

    failures = 0
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if type(self).failures:
            type(self).failures -= 1
            self.send_error(503)
            return
        body = json.dumps({"team": "Kitchen"}).encode() if "known" in self.path else b""
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def service(monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Owners, "failures", 0)
    monkeypatch.setattr(Owners, "asked", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Owners)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{{uri}}"
    server.shutdown()
    server.server_close()


def lookup(url: str) -> str:
    return f"{OWNER}lookup = {{ url = '{url}', field = 'team', timeout = '2s' }}\n"


def test_a_service_that_fails_twice_and_then_answers_fills_the_field(
    run, folder, state, service, monkeypatch
):
    monkeypatch.setattr(Owners, "failures", 2)
    (folder / "known one.md").write_text("Words.\n")
    (folder / "own.md").write_text("---\nowner: Ann\n---\nWords.\n")
    found(run(lookup(service)), found=2, indexed=2)
    assert owners(state) == {"known one.md": "Kitchen", "own.md": "Ann"}
    assert Owners.asked == ["/known%20one.md"] * 3
    assert explained(state, "known one.md")["field_origins"] == {"owner": "lookup"}


def test_a_service_that_stays_away_is_asked_again_by_the_next_run(
    run, folder, state, service, monkeypatch
):
    monkeypatch.setattr("flows.metadata.lookups._RETRY_DELAYS_S", (0.0, 0.0))
    monkeypatch.setattr(Owners, "failures", 1_000)
    for number in range(3):
        (folder / f"known{number}.md").write_text("Words.\n")
    report = run(lookup(service) + "default = 'HR'\n")
    found(report, found=3, quarantined=3)
    assert report["reasons"] == {"source_unreadable": 3}
    assert entries(state)["known0.md"][1] == "lookup of owner: status 503"
    assert len(Owners.asked) == 3  # And not nine: the other two are not worth waiting for.
    monkeypatch.setattr(Owners, "failures", 0)
    found(run(lookup(service) + "default = 'HR'\n"), found=3, indexed=3)


def test_what_a_service_does_not_know_gets_the_default(run, folder, state, service):
    (folder / "other.md").write_text("Words.\n")
    found(run(lookup(service) + "default = 'HR'\n"), found=1, indexed=1)
    assert owners(state) == {"other.md": "HR"}


def test_a_failed_lookup_does_not_say_where_it_looked():
    service = LookupSettings(url="http://127.0.0.1:9/?token=SECRET&uri={uri}", field="team")
    with pytest.raises(LookupFailed) as caught:
        Lookups({"owner": service}, delays_s=()).ask("owner", "a.md")
    assert str(caught.value) == "lookup of owner: ConnectError"


def test_validations_of_a_second_run_are_none(run, folder, state):
    (folder / "a.md").write_text("Words.\n")
    run(OWNER + "default = 'HR'\n")
    report = run(OWNER + "default = 'HR'\n")
    assert report["checks"]["chunks"] == 0
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.validation)) == 1
