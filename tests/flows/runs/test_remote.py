"""Sources on S3 and on web servers: what is read, what is not, and what an outage does."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.errors import UsageError
from flows.runs.fetched import DocumentTooLarge, DocumentUnreadable, SourceUnreadable
from flows.runs.gate import Gate
from flows.runs.selection import require_place, select_source
from flows.runs.sources import fetch, list_source
from flows.settings import Settings, SettingsError, load_settings
from index.plan import Listed
from tests.flows.conftest import Ingest
from tests.stores import BUCKET, KEY, ObjectStore, WebFolder, object_store, s3_client

pytestmark = [
    pytest.mark.proof,
    # Clients of remote stores leave their connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
STATE = Path("/nowhere/state")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebFolder]:
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("# A\n\nWords of a.\n")
    (folder / "sub" / "b c.md").write_text("# B\n\nWords of b.\n")
    server = WebFolder(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3() -> Iterator[ObjectStore]:
    with object_store() as server:
        put("docs/a.md", "# A\n\nWords of a.\n")
        put("docs/sub/b.md", "# B\n\nWords of b.\n")
        yield server


def put(key: str, text: str) -> None:
    s3_client().put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def listed(url: str) -> dict[str, Listed]:
    return {one.uri: one for one in list_source(url, STATE)}


def age(folder: Path) -> None:
    past = time.time() - 3600
    for file in folder.rglob("*.md"):
        os.utime(file, (past, past))


def test_an_object_store_is_listed_and_read(s3):
    put("docs/empty-folder/", "")
    found = listed(f"s3://{BUCKET}/docs")
    assert found.keys() == {"a.md", "sub/b.md"}
    fetched = fetch(found["a.md"], 100)
    assert fetched.data == b"# A\n\nWords of a.\n"
    assert fetched.modified_at == found["a.md"].modified_at is not None
    with pytest.raises(DocumentTooLarge):
        fetch(found["a.md"], 3)


def test_an_object_that_was_written_just_now_is_known_by_its_version(s3):
    before = listed(f"s3://{BUCKET}/docs")["a.md"]
    assert fetch(before, 100).stat_trusted
    put("docs/a.md", "# A\n\nWords of b.\n")
    after = listed(f"s3://{BUCKET}/docs")["a.md"]
    assert (after.n_bytes, after.stat_token) != (before.n_bytes, before.stat_token)
    assert after.n_bytes == before.n_bytes


def test_an_object_that_is_replaced_after_it_was_listed_is_read_as_it_is(s3):
    found = listed(f"s3://{BUCKET}/docs")["a.md"]
    put("docs/a.md", "# A\n\nMany more words of a than there were.\n")
    assert fetch(found, 100).data.endswith(b"than there were.\n")


def test_an_unchanged_object_store_is_listed_and_nothing_is_read(s3, ingest: Ingest):
    url = f"s3://{BUCKET}/docs"
    assert ingest(url)["documents"]["indexed"] == 2
    s3.n_requests.clear()
    report = ingest(url)
    assert (report["documents"]["unchanged"], report["balanced"]) == (2, True)
    assert s3.n_requests == {"GET": 1}
    put("docs/a.md", "# A\n\nOther words.\n")
    s3.n_requests.clear()
    assert ingest(url)["documents"]["indexed"] == 1
    assert s3.n_requests["GET"] == 2


def test_a_store_that_is_away_is_unreadable_and_names_no_key(s3):
    found = listed(f"s3://{BUCKET}/docs")["a.md"]
    s3.stop()
    try:
        for attempt in (lambda: listed(f"s3://{BUCKET}/docs"), lambda: fetch(found, 100)):
            with pytest.raises(SourceUnreadable) as caught:
                attempt()
            assert KEY not in str(caught.value)
    finally:
        s3.start()


def test_a_bucket_that_is_not_there_is_unreadable(s3):
    with pytest.raises(SourceUnreadable, match="s3://nothing/docs"):
        listed("s3://nothing/docs")


def test_a_web_server_is_listed_and_read(web):
    found = listed(web.url)
    assert found.keys() == {"a.md", "sub/b c.md"}
    assert fetch(found["sub/b c.md"], 100).data == b"# B\n\nWords of b.\n"
    assert list(listed(f"{web.url}/sub/")) == ["b c.md"]
    assert list(listed(f"{web.url}/a.md")) == ["a.md"]


def test_an_unchanged_web_server_is_asked_for_heads_only(web, ingest: Ingest, tmp_path):
    age(tmp_path / "site")
    assert ingest(web.url)["documents"]["indexed"] == 2
    web.n_requests.clear()
    assert ingest(web.url)["documents"]["unchanged"] == 2
    # Two pages that list, each by its own name and by that with a slash behind it at most.
    assert web.n_requests["HEAD"] == 2
    assert web.n_requests["GET"] <= 4


def test_a_page_that_was_written_just_now_is_not_trusted_to_show_its_next_change(web, tmp_path):
    assert not fetch(listed(web.url)["a.md"], 100).stat_trusted
    age(tmp_path / "site")
    assert fetch(listed(web.url)["a.md"], 100).stat_trusted


def test_a_folder_of_a_web_server_that_cannot_be_listed_is_one_unreadable_entry(web):
    web.refusals["/sub"] = web.refusals["/sub/"] = 403
    found = listed(web.url)
    assert found["sub/"].unreadable == "the folder cannot be listed: HTTP 403"
    assert found.keys() == {"a.md", "sub/"}


def test_a_document_that_is_refused_is_unreadable_and_no_other(web):
    web.refusals["a.md"] = 403
    found = listed(web.url)
    assert found.keys() == {"a.md", "sub/b c.md"}
    with pytest.raises(DocumentUnreadable):
        fetch(found["a.md"], 100)
    assert fetch(found["sub/b c.md"], 100).data


@pytest.mark.parametrize("path", ["/sub/", "b%20c.md"])
def test_an_outage_in_the_middle_of_a_scan_removes_nothing(path, web, ingest: Ingest, monkeypatch):
    monkeypatch.setattr("flows.ingest.scan.retry_delay_seconds", [0.05, 0.05, 0.05])
    assert ingest(web.url)["documents"]["indexed"] == 2
    web.refusals[path] = web.refusals[path.rstrip("/")] = 503
    report = ingest(web.url)
    assert (report["state"], report["code"]) == ("failed", "source_unreadable")
    assert report["documents"]["removed"] == 0
    web.refusals.clear()
    report = ingest(web.url)
    assert (report["documents"]["removed"], report["documents"]["unchanged"]) == (0, 2)


def test_an_outage_in_the_middle_of_reading_is_waited_for(web, ingest: Ingest, monkeypatch):
    monkeypatch.setattr("flows.runs.indexing.index_batch.retry_delay_seconds", [0.05, 0.05, 0.05])
    real, n_calls = fetch, []

    def away_once(one: Listed, max_bytes: int) -> Any:
        n_calls.append(one.uri)
        if len(n_calls) == 2:
            web.stop()
            try:
                return real(one, max_bytes)
            finally:
                web.start()
        return real(one, max_bytes)

    monkeypatch.setattr("flows.runs.conversations.fetch", away_once)
    report = ingest(web.url)
    assert (report["state"], report["documents"]["indexed"]) == ("completed", 2)
    assert len(n_calls) > 2


def test_a_gate_lets_so_many_through_in_a_second():
    gate = Gate(at_once=1, per_second=50)
    began = time.monotonic()
    for _ in range(6):
        with gate.turn():
            pass
    assert time.monotonic() - began >= 5 / 50


@pytest.mark.parametrize(
    "url",
    ["https://me:pass-xyz@host/docs", "https://host/docs?sig=pass-xyz", "s3://AKIA:pass-xyz@b/x"],
)
def test_a_url_that_holds_a_secret_is_refused_and_not_shown(url, tmp_path):
    file = tmp_path / "headwater.toml"
    file.write_text(f'[[sources]]\nname = "a"\nuri = "{url}"\n')
    with pytest.raises(SettingsError) as refused:
        load_settings(file)
    assert "pass-xyz" not in str(refused.value)
    require_place(Settings(), url)
    with pytest.raises(UsageError) as refused_too:
        select_source(Settings(), None, url)  # type: ignore[arg-type]
    assert "pass-xyz" not in str(refused_too.value)
