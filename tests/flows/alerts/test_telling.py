"""What people are told of runs: real runs, and a receiver on loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from flows.alerts.outages import outages_told
from flows.cli import app
from flows.errors import LeaseHeld
from flows.settings import load_settings
from flows.upkeep import reconcile_index
from flows.wiring import open_catalog, open_stores
from index.catalog import tables
from index.embedding import ModelUnusable
from index.errors import StoreBusy, StoreUnavailable
from parsers.reasons import REMEDIES, Reason
from tests.conftest import ROOT
from tests.flows.conftest import SECRET
from tests.receivers import MailServer

pytestmark = pytest.mark.proof

BAD = b"%PDF-1.4 nothing"
PAGE = "# Leave\n\nAnnual leave accrues.\n"
WORDS = "xylographer quillwort"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(ingest: Run, config: Path) -> Run:
    return lambda **options: ingest("handbook", config=str(config), **options)


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(result: Result, *, status: int = 0) -> list[dict[str, Any]]:
    assert result.exit_code == status, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def on(config: Path) -> dict[str, dict[str, Any]]:
    listed = lines(call("alerts", "list", "--config", config, "--json"))
    return {one["kind"]: one for one in listed if one["state"] == "on"}


def test_many_files_broken_in_one_way_are_one_message_with_one_line(run, folder, webhook, config):
    for number in range(40):
        (folder / f"{number:02}.pdf").write_bytes(BAD)
    run()
    (message,) = webhook.messages
    assert message["title"] == "[error] handbook: 40 new documents in quarantine"
    assert message["type"] == "failure"
    body = message["message"].splitlines()
    assert body[0] == "100% of what was found is in quarantine; more than 20% is too much."
    assert body[2] == f"40 corrupt: {REMEDIES[Reason.CORRUPT]}"
    named = [line for line in body if line.startswith("- ")]
    assert named == [*(f"- {n:02}.pdf (corrupt)" for n in range(10)), "- and 30 more"]
    assert "See each with its cause: headwater quarantine list --source handbook" in body
    run()
    assert len(webhook.messages) == 1
    assert on(config)["quarantine"]["last_sent"]


def test_a_digest_tells_of_what_is_new_and_the_end_of_it_all(run, folder, webhook):
    (folder / "a.pdf").write_bytes(BAD)
    (folder / "leave.md").write_text(PAGE)
    run()
    (folder / "b.pdf").write_bytes(BAD + WORDS.encode())
    run()
    for name in ("a.pdf", "b.pdf"):
        (folder / name).unlink()
    run()
    assert webhook.titles == [
        "[warning] handbook: 1 new document in quarantine",
        "[now error] handbook: 1 new document in quarantine, 2 in all",
        "[resolved] handbook: nothing is in quarantine any more",
    ]
    assert "- b.pdf (corrupt)" in webhook.messages[1]["message"]
    assert "- a.pdf" not in webhook.messages[1]["message"]
    told = json.dumps(webhook.messages)
    assert not any(word in told for word in WORDS.split())


def test_a_source_that_is_away_is_told_and_again_when_it_is_back(run, folder, webhook):
    (folder / "leave.md").write_text(PAGE)
    run()
    away = folder.rename(folder.with_name("away"))
    assert run()["state"] == "failed"
    away.rename(folder)
    run()
    assert webhook.titles == [
        "[error] handbook: the source cannot be read",
        "[resolved] handbook: it can be read again",
    ]
    assert "No such file or directory" in webhook.messages[0]["message"]


def test_the_removal_guard_says_what_is_gone_and_how_to_go_on(run, folder, webhook, config):
    for number in range(4):
        (folder / f"{number}.md").write_text(PAGE)
    run()
    for number in range(3):
        (folder / f"{number}.md").unlink()
    run()
    run(allow_removal=True)
    assert webhook.titles == [
        "[error] handbook: 3 documents would be removed, and none was",
        "[resolved] handbook: the removal guard lets runs pass again",
    ]
    body = webhook.messages[0]["message"].splitlines()
    assert [line for line in body if line.startswith("- ")] == ["- 0.md", "- 1.md", "- 2.md"]
    assert any(line.endswith("headwater ingest handbook --allow-removal") for line in body)
    assert on(config) == {}


def test_a_listing_that_is_far_too_short_is_told_once_as_what_it_is(run, folder, webhook):
    for number in range(24):
        (folder / f"{number}.md").write_text(f"{PAGE}Page {number}.\n")
    run()
    for number in range(18):
        (folder / f"{number}.md").unlink()
    assert [run()["state"] for _ in range(2)] == ["failed", "failed"]
    (message,) = webhook.messages
    assert message["title"] == "[error] handbook: documents_against_last is 0.25, below 0.5"
    assert "headwater ingest handbook --allow-removal" in message["message"]
    run(allow_removal=True)
    assert webhook.titles[1:] == ["[resolved] handbook: the corpus passes its checks again"]


def test_a_number_above_its_maximum_warns_until_it_is_within(ingest, folder, webhook, configure):
    bound = "[sources.checks]\nfrom_documents = 1\nshare_duplicate_chunks = { max = 0.1 }"
    config = configure(f'{bound}\n[alerts]\nurls = ["{webhook.url(SECRET)}"]')
    for number in range(2):
        (folder / f"{number}.md").write_text(PAGE)
    for _ in range(2):
        assert ingest("handbook", config=str(config))["state"] == "completed"
    (folder / "1.md").unlink()
    ingest("handbook", config=str(config))
    assert webhook.titles == [
        "[warning] handbook: share_duplicate_chunks is 0.5, above 0.1",
        "[resolved] handbook: the corpus passes its checks again",
    ]


def test_a_defect_is_told_by_its_name_alone(run, folder, webhook, monkeypatch):
    def broken(*arguments: object) -> None:
        raise KeyError(WORDS)

    monkeypatch.setattr("flows.runs.batch_work.prepare", broken)
    (folder / "leave.md").write_text(PAGE)
    assert run()["state"] == "failed"
    (message,) = webhook.messages
    assert message["title"] == "[error] handbook: the run failed"
    assert message["message"].startswith("A defect (KeyError); Prefect has the traceback.")
    assert WORDS not in message["message"]


def test_a_receiver_that_is_down_does_not_fail_the_run_and_is_told_by_the_next(
    run, folder, webhook, config, monkeypatch
):
    monkeypatch.setattr("flows.runs.run.RUN_BUDGET_S", 0.5)
    webhook.refusals = [500]
    (folder / "bad.pdf").write_bytes(BAD)
    assert run()["state"] == "completed_with_errors"
    (undelivered,) = on(config)["quarantine"]["undelivered"]
    assert undelivered["target"] == "json-1"
    assert undelivered["error"] == "the receiver did not take it (HTTP 500)"
    shown = call("alerts", "list", "--config", config).stdout
    assert "pending: started to json-1: the receiver did not take it (HTTP 500), tried 1 x" in shown
    (doctor,) = [one for one in lines(call("doctor", "--config", config, "--json"), status=1)
                 if one["check"] == "alerts"]  # fmt: skip
    assert doctor["detail"] == "1 message did not arrive: headwater alerts list"
    time.sleep(1.1)
    run()
    assert webhook.titles == ["[warning] handbook: 1 new document in quarantine"]


CHILD = """
import sys, time
import flows.{module}
from flows.ingest import ingest
from tests.fakes import FakeEmbedder
import flows.wiring
flows.wiring.Embedder = FakeEmbedder
whole, calls = flows.{module}.{function}, []
def held(*arguments, **options):
    calls.append(1)
    if len(calls) == {nth}:
        print("here", flush=True)
        time.sleep(60)
    return whole(*arguments, **options)
flows.{module}.{function} = held
ingest("handbook", config=sys.argv[1])
"""


def kill_at(config: Path, module: str, function: str, nth: int) -> None:
    """Run in a process of its own, and kill it when it calls a function for the n-th time."""
    code = CHILD.format(module=module, function=function, nth=nth)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", code, config], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert child.stdout is not None
        assert "here\n" in iter(child.stdout.readline, "")
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()


def test_a_run_that_is_killed_before_it_could_send_has_the_next_one_send(
    run, folder, webhook, config
):
    (folder / "bad.pdf").write_bytes(BAD)
    kill_at(config, "runs.run", "deliver_pending", 2)
    assert webhook.titles == []
    assert on(config)["quarantine"]["pending"] == 1
    run()
    assert webhook.titles == ["[warning] handbook: 1 new document in quarantine"]


def test_a_run_that_is_killed_half_way_is_told_by_the_next_with_what_it_found(
    run, folder, webhook, config
):
    (folder / "bad.pdf").write_bytes(BAD)
    kill_at(config, "ingest", "_settle", 1)
    run()
    assert webhook.titles == [
        "[warning] handbook: a run was interrupted",
        "[warning] handbook: 1 new document in quarantine",
        "[resolved] handbook: a run came to its end",
    ]


def test_a_catalog_that_cannot_be_opened_is_told_without_it(
    run, folder, webhook, config, monkeypatch
):
    monkeypatch.setattr("flows.runs.outages.RETRY_DELAYS_S", [])
    (folder / "leave.md").write_text(PAGE)
    run()
    settings = load_settings(config)
    catalog = settings.state_dir / "catalog.db"
    whole = catalog.read_bytes()
    for extra in ("catalog.db-wal", "catalog.db-shm"):
        (settings.state_dir / extra).unlink(missing_ok=True)
    catalog.write_bytes(b"not a database, by far" * 100)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            run()
    catalog.write_bytes(whole)
    run()
    assert webhook.titles == [
        "[error] Headwater: a store is unavailable",
        "[resolved] Headwater: the stores can be used again",
    ]
    assert REMEDIES[Reason.STORE_UNAVAILABLE] in webhook.messages[0]["message"]


def test_a_store_that_cannot_be_opened_is_told_once_of_all_sources(run, webhook, config):
    run()
    for _ in range(2):
        with pytest.raises(StoreUnavailable), outages_told(load_settings(config), "handbook"):
            raise StoreUnavailable("vectors: no answer from http://me:pw@chroma:8000")
    assert on(config)["store_unavailable"]["source"] == ""
    run()
    assert webhook.titles == [
        "[error] Headwater: a store is unavailable",
        "[resolved] Headwater: the stores can be used again",
    ]
    assert "vectors: no answer from http://chroma:8000" in webhook.messages[0]["message"]


def test_a_model_that_keeps_a_run_from_starting_is_told_too(run, folder, webhook, config):
    text = config.read_text()
    config.write_text(text + '[index]\nmodel = "no-such-model"\n')
    with pytest.raises(ModelUnusable):
        run()
    config.write_text(text)
    run()
    assert webhook.titles == [
        "[error] handbook: the run failed",
        "[resolved] handbook: a run came to its end",
    ]
    assert webhook.messages[0]["message"].startswith("no-such-model")


@pytest.mark.parametrize("error", [LeaseHeld("busy"), StoreBusy("busy")])
def test_somebody_else_at_work_is_no_alert(config, webhook, error):
    with pytest.raises(type(error)), outages_told(load_settings(config), "handbook"):
        raise error
    assert webhook.messages == []


def test_a_source_that_nobody_ran_over_is_told_as_stale_by_a_timer(run, folder, webhook, config):
    (folder / "leave.md").write_text(PAGE)
    run()
    for hours, title in (
        (3, "[warning] handbook: stale for 3 h 0 min"),
        (4, None),
        (25, "[now error] handbook: stale for 1 d 1 h"),
    ):
        then = datetime.now(UTC) - timedelta(hours=hours)
        with open_catalog(load_settings(config)) as catalog, catalog.writing() as connection:
            connection.execute(sa.update(tables.source).values(complete_as_of=then))
        (sent,) = lines(call("alerts", "send", "--config", config, "--json"))
        assert sent == {"pending": 0, "delivered": 1 if title else 0, "failed": 0}
        assert not title or webhook.titles[-1] == title
    run()
    assert webhook.titles[-1] == "[resolved] handbook: it is fresh again"
    assert len(webhook.titles) == 3


def test_drift_is_told_until_it_is_mended(run, folder, webhook, config):
    (folder / "leave.md").write_text(PAGE)
    run()
    settings = load_settings(config)
    with open_stores(settings) as index:
        (chunk_id,) = index.vectors.contents(index.generation.collection)
        index.vectors.delete(index.generation.collection, [chunk_id])
    for options in ({}, {}, {"repair": True}, {}):
        reconcile_index(settings, **options)
    assert webhook.titles == [
        "[error] Headwater: 1 chunk in the vector store differed from the catalog",
        "[resolved] Headwater: catalog and vector store agree again",
    ]
    assert webhook.messages[0]["message"].startswith("1 missing\n")


def test_every_target_is_tried_and_told_of_by_name(configure, webhook, monkeypatch, folder):
    server = MailServer()
    monkeypatch.setenv("MAIL_URL", server.url)
    config = configure(
        f"[alerts]\nurls = ['{webhook.url(SECRET)}']\n"
        "[[alerts.targets]]\nname = 'mail'\nurl_env = 'MAIL_URL'\n"
        f"[[alerts.targets]]\nname = 'gone'\nurl = 'json://127.0.0.1:1/{SECRET}'\n"
    )
    try:
        result = call("alerts", "test", "--config", config, "--json")
    finally:
        server.close()
    arrived = {one["target"]: one["arrived"] for one in lines(result, status=1)}
    assert arrived == {"json-1": True, "mail": True, "gone": False}
    assert webhook.titles == ["[test] Headwater: this target is told of alerts"]
    assert server.mails[0]["subject"] == webhook.titles[0]
    assert SECRET not in result.output


def test_a_url_may_be_in_a_prefect_block(ingest, folder, configure, webhook):
    from prefect.blocks.system import Secret

    Secret(value=webhook.url(SECRET)).save("ops-url", overwrite=True)
    config = configure(
        "[[alerts.targets]]\nname = 'ops'\nblock = 'ops-url'\n"
        "[[alerts.targets]]\nname = 'nobody'\nblock = 'no-such-block'\n"
    )
    told = lines(call("alerts", "test", "--config", config, "--json"), status=1)
    assert told == [
        {"target": "ops", "arrived": True, "error": None},
        {
            "target": "nobody",
            "arrived": False,
            "error": "Prefect has no Secret block 'no-such-block'",
        },
    ]
    (folder / "bad.pdf").write_bytes(BAD)
    ingest("handbook", config=str(config))
    assert webhook.titles[1:] == ["[warning] handbook: 1 new document in quarantine"]


def test_without_a_target_there_is_nothing_to_test(configure):
    result = call("alerts", "test", "--config", configure(""))
    assert result.exit_code == 2
    assert "no target is configured" in result.stderr


def test_no_secret_is_kept_or_shown(run, folder, webhook, config):
    (folder / "bad.pdf").write_bytes(BAD)
    webhook.refusals = [401] * 9
    run()
    shown = call("alerts", "list", "--config", config).output
    shown += call("alerts", "list", "--config", config, "--json").output
    shown += call("alerts", "send", "--config", config).output
    assert "HTTP 401" in shown
    assert SECRET not in shown
    state = load_settings(config).state_dir
    kept = [path for path in state.rglob("*") if path.is_file()]
    assert kept
    assert not any(SECRET.encode() in path.read_bytes() for path in kept)
