"""Who is let in, what a page elsewhere can do, and what answers tell browsers."""

import time

import pytest
from lxml import html

from flows.dashboard.access import Access, User, is_local_path, is_own_name
from flows.dashboard.serving import make_access
from flows.dashboard.settings import DashboardSettings
from flows.errors import UsageError
from tests.flows.dashboard.conftest import PASSWORD, TOKEN, entry_ids, form_key

BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def guarded(browse):
    return browse(token=TOKEN)


def sign_in(client, token=TOKEN, name="Ann", next_="/"):
    return client.post("/signin", data={"token": token, "name": name, "next": next_})


def test_every_answer_forbids_what_our_pages_do_not_need(client):
    for address in ("/", "/api/overview", "/static/live.js", "/nowhere", "/healthz"):
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert client.get("/").headers["cache-control"] == "no-store"
    assert "server" not in client.get("/").headers


@pytest.mark.parametrize(
    "path", ["/", "/documents", "/quarantine", "/search?words=x", "/nowhere", "/signout"]
)
def test_without_the_token_people_are_asked_for_it(guarded, path):
    answer = guarded.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin")
    assert b"handbook" not in answer.content


@pytest.mark.parametrize("path", ["/api/overview", "/api/openapi.json", "/api/x", "/metrics"])
def test_without_the_token_programs_are_refused(guarded, path):
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert guarded.get(path, headers=BEARER).status_code != 401


def test_nothing_can_be_changed_without_the_token(guarded, browse):
    ids = list(entry_ids(browse()).values())
    key = form_key(browse())
    assert guarded.post("/quarantine", data={"id": ids, "form_key": key}).status_code == 303
    assert guarded.post("/api/quarantine/ignore", json={"ids": ids}).status_code == 401


def test_whoever_signs_in_is_known_by_name_and_comes_to_where_they_wanted(guarded):
    answer = sign_in(guarded, next_="/runs?source=handbook")
    assert answer.headers["location"] == "/runs?source=handbook"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert guarded.get("/api/session").json()["user"] == "Ann"
    out = guarded.post("/signout", data={"form_key": form_key(guarded)})
    assert out.headers["location"] == "/signin"
    assert guarded.get("/").status_code == 303


@pytest.mark.parametrize(("token", "name"), [("wrong", "Ann"), ("", "Ann"), (TOKEN, " ")])
def test_a_wrong_token_or_no_name_gives_no_session(guarded, token, name):
    answer = sign_in(guarded, token, name)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"]
)
def test_signing_in_leads_nowhere_else(guarded, elsewhere):
    assert sign_in(guarded, next_=elsewhere).headers["location"] == "/"
    assert not is_local_path(elsewhere)


def test_a_session_cannot_be_made_up_changed_or_kept_for_ever(guarded, monkeypatch):
    sign_in(guarded)
    value = guarded.cookies["headwater"]
    name, until, signature = value.split(".")
    for forged in ("", "a.b.c", f"{name}.{int(until) + 1}.{signature}", f"x{value}", "é"):
        guarded.cookies.clear()
        answer = guarded.get("/", headers={"cookie": f"headwater={forged}".encode()})
        assert answer.status_code == 303
    now = time.time()
    monkeypatch.setattr("flows.dashboard.access.time.time", lambda: now + 13 * 3600)
    answer = guarded.get("/", headers={"cookie": f"headwater={value}"})
    assert answer.status_code == 303


def test_a_proxy_names_the_user(browse):
    client = browse(user_header="X-Remote-User")
    assert client.get("/").status_code == 401
    answer = client.get("/api/session", headers={"x-remote-user": "ben\t@example.org"})
    assert answer.json()["user"] == "ben@example.org"


def test_a_proxy_that_must_show_the_token_is_not_believed_without(browse):
    client = browse(token=TOKEN, user_header="X-Remote-User")
    named = {"x-remote-user": "ben"}
    assert client.get("/api/session", headers=named).status_code == 401
    assert client.get("/api/session", headers=BEARER).status_code == 401
    assert client.get("/api/session", headers=named | BEARER).json()["user"] == "ben"


def test_a_name_elsewhere_that_leads_here_shows_nothing(client):
    for host in ("evil.example", "evil.example:4280", "127.0.0.1.evil.example", ""):
        assert client.get("/api/overview", headers={"host": host}).status_code == 403
    for host in ("localhost:4280", "127.0.0.1", "[::1]:4280"):
        assert is_own_name(host)
        assert client.get("/api/overview", headers={"host": host}).status_code == 200


def test_a_page_elsewhere_changes_nothing(client):
    entry = entry_ids(client)["noise.pdf"]
    fields = {"id": entry, "do": "ignore", "why": "x"}
    stranger = Access(local_user="ann@here", token=None, user_header=None)
    for key in ("", "0" * 64, stranger.form_key(User("ann@here"))):
        assert client.post("/quarantine", data=fields | {"form_key": key}).status_code == 403
    good = fields | {"form_key": form_key(client)}
    for site in ("cross-site", "same-site"):
        answer = client.post("/quarantine", data=good, headers={"sec-fetch-site": site})
        assert answer.status_code == 403
    assert (
        client.post("/api/quarantine/ignore", json={"ids": [entry], "why": "x"}).status_code == 403
    )
    shown = client.get(f"/api/quarantine/entries/{entry}").json()
    assert shown["entry"]["state"] == "open"
    assert client.post("/quarantine", data=good).status_code == 303


def test_the_token_of_a_program_is_enough_to_change_something(guarded):
    entry = entry_ids_with(guarded, BEARER)["noise.pdf"]
    asked = {"ids": [entry], "why": "noise"}
    answer = guarded.post("/api/quarantine/ignore", json=asked, headers=BEARER)
    assert answer.json() == [entry]


def entry_ids_with(client, headers):
    found = client.get("/api/quarantine/entries", headers=headers).json()["items"]
    return {one["uri"]: one["id"] for one in found}


def test_what_is_ignored_says_by_whom_and_why_and_as_text(client):
    entry = entry_ids(client)["noise.pdf"]
    why = "<script>alert(1)</script> only noise"
    fields = {"id": entry, "do": "ignore", "why": why, "form_key": form_key(client)}
    assert client.post("/quarantine", data=fields).headers["location"] == f"/quarantine/{entry}"
    page = html.fromstring(client.get(f"/quarantine/{entry}").text)
    assert why in page.text_content()
    assert len(page.findall(".//script")) == 1
    event = client.get(f"/api/quarantine/entries/{entry}").json()["history"][0]
    assert (event["what"], event["who"], event["why"]) == ("ignored", "ann@here", why)
    fields |= {"do": "open", "why": "it is wanted"}
    client.post("/quarantine", data=fields)
    shown = client.get(f"/api/quarantine/entries/{entry}").json()
    assert shown["entry"]["state"] == "open"


def test_a_wrong_request_is_not_repeated_with_its_password(client):
    asked = {"ids": ["0"], "password": PASSWORD, "timeout_s": "soon"}
    key = {"x-form-key": form_key(client)}
    answer = client.post("/api/quarantine/reprocess", json=asked, headers=key)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text
    assert "timeout_s" in answer.json()["detail"]
    odd = b'{"password": "\\ud800"}'
    json_kind = {"content-type": "application/json"}
    answer = client.post("/api/quarantine/reprocess", content=odd, headers=key | json_kind)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * 2_000_000, "application/x-www-form-urlencoded", 413),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
    ],
)
def test_what_is_no_form_is_refused(client, body, kind, status):
    answer = client.post("/quarantine", content=body, headers={"content-type": kind})
    assert answer.status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "dashboard.example"])
def test_others_are_not_let_in_by_accident(host, monkeypatch):
    with pytest.raises(UsageError, match="token_env"):
        make_access(DashboardSettings(host=host), "ann")
    monkeypatch.setenv("HEADWATER_TEST_TOKEN", TOKEN)
    assert make_access(DashboardSettings(host=host, token_env="HEADWATER_TEST_TOKEN"), "ann")
    assert make_access(DashboardSettings(host=host, user_header="X-User"), "ann")


def test_a_token_that_is_missing_or_short_is_an_error(monkeypatch):
    settings = DashboardSettings(token_env="HEADWATER_TEST_TOKEN")
    with pytest.raises(UsageError, match="HEADWATER_TEST_TOKEN"):
        make_access(settings, "ann")
    monkeypatch.setenv("HEADWATER_TEST_TOKEN", "short")
    with pytest.raises(UsageError, match="16 characters") as refused:
        make_access(settings, "ann")
    assert "short" not in str(refused.value)
