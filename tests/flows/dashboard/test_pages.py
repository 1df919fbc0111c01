"""The pages: all can be reached, and none says what a document would make it say."""

from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from fastapi.testclient import TestClient
from lxml import html

from flows.dashboard.access import Access
from flows.dashboard.app import make_app
from flows.settings import load_settings
from tests.fakes import FakeEmbedder
from tests.flows.dashboard.conftest import HOSTILE, LOCKED, MARKUP, entry_ids


def crawl(client: TestClient) -> dict[str, html.HtmlElement]:
    """Every page that links lead to from the overview, by its address."""
    waiting, seen = ["/", "/search?words=annual+leave", "/jobs"], {}
    while waiting:
        address = waiting.pop()
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text)
        seen[address] = tree = html.fromstring(answer.text)
        for link in tree.iterfind(".//a[@href]"):
            found = urldefrag(urljoin(f"http://localhost{address}", link.get("href"))).url
            parts = urlsplit(found)
            if parts.path.startswith("/runs/flow-run/"):
                continue  # In Prefect.
            assert parts.netloc == "localhost", found
            wanted = parts.path + (f"?{parts.query}" if parts.query else "")
            if wanted not in seen and wanted not in waiting:
                waiting.append(wanted)
    return seen


@pytest.fixture(scope="module")
def pages(ingested) -> Iterator[dict[str, html.HtmlElement]]:
    access = Access(local_user="ann@here", token=None, user_header=None)
    app = make_app(load_settings(ingested / "headwater.toml"), access)
    with (
        pytest.MonkeyPatch.context() as patch,
        TestClient(app, base_url="http://localhost") as client,
    ):
        patch.setattr("flows.wiring.Embedder", FakeEmbedder)
        yield crawl(client)


def test_every_link_leads_to_a_page_and_each_kind_is_among_them(pages):
    kinds = {address.split("?")[0].split("/")[1] for address in pages}
    assert kinds == {
        "", "sources", "runs", "documents", "chunks", "quarantine", "search", "index", "jobs",
    }  # fmt: skip
    for tree in pages.values():
        assert len(tree.findall(".//h1")) == 1
        assert tree.findtext(".//title")


def test_names_and_texts_are_shown_and_never_markup(pages):
    assert any(MARKUP in tree.text_content() for tree in pages.values())
    shown = HOSTILE.replace("\u202e", "\N{REPLACEMENT CHARACTER}")
    assert any(shown in tree.text_content() for tree in pages.values())
    for address, tree in pages.items():
        assert "\u202e" not in html.tostring(tree, encoding="unicode"), address
        assert not tree.xpath("//img | //b | //main//script"), address
        assert all(one.get("src").startswith("/static/") for one in tree.xpath("//script")), address
        for element in tree.iter():
            on = [name for name in element.attrib if name.startswith("on") or name == "style"]
            assert not on, (address, on)


def test_ids_are_unique_on_every_page(pages):
    for address, tree in pages.items():
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids)), (address, ids)


def test_the_overview_says_how_each_source_stands(client):
    (source,) = client.get("/api/overview").json()["sources"]
    assert (source["name"], source["state"]) == ("handbook", "fresh")
    assert source["documents"] == {"indexed": 3, "quarantined": 4}
    assert source["quarantined"] == {"corrupt": 2, "empty_file": 1, "encrypted": 1}
    assert source["next_run_at"] > source["last_run"]["started_at"]
    text = html.fromstring(client.get("/").text).text_content()
    assert "The source is fresh." in text


def test_a_run_shows_its_balance_and_what_it_changed(client):
    later, first = client.get("/api/runs").json()["items"]
    found = client.get(f"/api/runs/{first['id']}").json()
    assert found["balance"]["n_found"] == sum(found["balance"]["parts"].values()) == 7
    assert found["balance"]["balanced"] is True
    assert found["reasons"] == {"corrupt": 2, "empty_file": 1, "encrypted": 1}
    changes = client.get(f"/api/runs/{later['id']}/outcomes").json()
    assert [one["uri"] for one in changes["items"] if one["outcome"] == "indexed"] == ["pages.pdf"]


def test_documents_are_found_by_name_source_and_outcome(client):
    def found(**wanted: str) -> list[str]:
        listing = client.get("/api/documents", params=wanted).json()
        assert listing["n_items"] == len(listing["items"])
        return [one["uri"] for one in listing["items"]]

    assert found(words="SECRET") == ["secret.pdf", "secret<b>bold.pdf"]
    assert found(words="%") == found(words="_") == []
    assert found(outcome="quarantined", words="noise") == ["noise.pdf"]
    assert found(source="elsewhere") == []
    assert len(found()) == 7


def test_a_documents_text_is_whole_with_its_chunks_in_it(client, place):
    (found,) = client.get("/api/documents", params={"words": "leave"}).json()["items"]
    first = client.get(f"/api/documents/{found['id']}").json()["text"]
    rest = [
        client.get(f"/api/documents/{found['id']}", params={"page": number}).json()["text"]
        for number in range(2, first["n_pages"] + 1)
    ]
    assert first["n_pages"] > 1
    stretches = [one for part in (first, *rest) for one in part["stretches"]]
    written = "".join(one["text"] for one in stretches)
    assert written == (place / "docs" / "leave.md").read_text()
    chunks = [one for one in stretches if one["chunk_id"]]
    assert len(chunks) == first["n_chunks"]
    some = chunks[len(chunks) // 2]
    assert client.get(f"/api/chunks/{some['chunk_id']}").json()["text"] == some["text"]


def test_a_search_names_document_page_and_how_old_that_is(client):
    (found,) = client.get("/api/documents", params={"words": "pages"}).json()["items"]
    text = client.get(f"/api/documents/{found['id']}").json()["text"]
    chunk = next(one for one in text["stretches"] if one["page_last"] == 2)
    found = client.get("/api/search", params={"words": "rules", "k": 100}).json()["hits"]
    assert [one["rank"] for one in found] == list(range(1, len(found) + 1))
    assert found == sorted(found, key=lambda one: -one["score"])
    (hit,) = [one for one in found if one["chunk_id"] == chunk["chunk_id"]]
    assert (hit["uri"], hit["page_first"], hit["page_last"]) == ("pages.pdf", 1, 2)
    assert hit["text"] == chunk["text"]
    assert hit["stale_since"] is None
    assert hit["indexed_at"] > hit["source_modified_at"]
    assert "pages 1 to 2" in client.get("/search", params={"words": "rules", "k": 100}).text


def test_an_entry_says_what_to_do_and_what_was_done(client):
    entry = client.get(f"/api/quarantine/entries/{entry_ids(client)['secret.pdf']}").json()
    assert "password" in entry["remedy"]
    assert [(one["what"], one["who"]) for one in entry["history"]] == [("quarantined", "headwater")]


def test_what_was_never_read_is_shown_nowhere(pages):
    assert not any(LOCKED in tree.text_content() for tree in pages.values())


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/sources/none", 404),
        ("/runs/abc", 404),
        ("/documents/abc", 404),
        ("/documents/<x>", 422),
        ("/chunks/abc", 404),
        ("/quarantine/abc", 404),
        ("/quarantine?state=odd", 404),
        ("/jobs/abc", 404),
        ("/documents?page=0", 422),
        ("/nowhere", 404),
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(client, address, status):
    answer = client.get(address)
    assert answer.status_code == status
    assert html.fromstring(answer.text).findtext(".//h1")


def test_without_a_run_the_pages_say_what_to_do(browse, place, settings):
    client = browse()
    (place / "state" / "catalog.db").unlink()
    answer = client.get("/")
    assert (answer.status_code, "headwater ingest" in answer.text) == (503, True)
    assert client.get("/api/overview").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_another_catalog_in_its_place_is_shown_at_once(client, place, ingested):
    assert client.get("/api/documents").json()["n_items"] == 7
    (place / "state" / "catalog.db").unlink()
    assert client.get("/readyz").status_code == 503
    (place / "state" / "catalog.db").write_bytes((ingested / "state/catalog.db").read_bytes())
    assert client.get("/api/documents").json()["n_items"] == 7
    assert client.get("/readyz").status_code == 200


def test_prometheus_is_told_what_the_command_tells_it(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'headwater_source_documents{outcome="indexed",source="handbook"} 3.0' in answer.text
