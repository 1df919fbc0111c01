"""Delivery to receivers that refuse, are away, say nothing, or are fine."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.alerts.delivery import UNREACHABLE
from flows.alerts.outbox import deliver
from flows.alerts.settings import TargetSettings
from index.catalog.alerts import Key, Letter, Phase, Severity, post, undelivered
from index.catalog.database import Catalog
from tests.flows.conftest import SECRET
from tests.receivers import MailServer, silent_receiver

RUN = Key("run", "handbook")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield made
    made.close()


Posted = Callable[..., None]


@pytest.fixture
def posted(catalog: Catalog) -> Posted:
    def put(*titles: str, target: str = "ops", key: Key = RUN, now: datetime = NOW) -> None:
        letters = [
            Letter(key, target, Phase.STARTED, Severity.ERROR, title, "Mend it.")
            for title in titles
        ]
        with catalog.writing() as connection:
            post(connection, letters, now)

    return put


def target(url: str, name: str = "ops") -> TargetSettings:
    return TargetSettings.model_validate({"name": name, "url": url})


def errors(catalog: Catalog) -> list[tuple[str, int, str]]:
    with catalog.reading() as connection:
        rows = [row for rows in undelivered(connection).values() for row in rows]
    return [(row["state"], row["n_attempts"], row["error"]) for row in rows]


def test_a_receiver_that_is_down_three_times_and_then_up_is_told_once(catalog, posted, webhook):
    posted("late")
    webhook.refusals = [500, 503, 500]
    clock = Clock()
    for attempts, minutes in ((1, 1), (2, 2), (3, 60)):
        deliver(catalog, [target(webhook.url())], budget_s=0.5, now=clock)
        refused = f"the receiver did not take it (HTTP {503 if attempts == 2 else 500})"
        assert errors(catalog) == [("pending", attempts, refused)]
        clock.now += timedelta(minutes=minutes)
    for _ in range(3):
        deliver(catalog, [target(webhook.url())], budget_s=0.5, now=clock)
        clock.now += timedelta(minutes=10)
    assert webhook.titles == ["late"]
    assert webhook.n_requests == 4
    assert errors(catalog) == []


def test_a_receiver_that_is_up_again_soon_is_told_by_the_same_run(catalog, posted, webhook):
    posted("soon", now=datetime.now(UTC))
    webhook.refusals = [500]
    started = time.monotonic()
    deliver(catalog, [target(webhook.url())], budget_s=20)
    assert webhook.titles == ["soon"]
    assert time.monotonic() - started < 5


def test_a_receiver_that_is_away_is_not_asked_again_at_once(catalog, posted, webhook):
    url = webhook.url()
    webhook.close()
    posted("1", "2", key=Key("run", "a"))
    posted("3", key=Key("run", "b"))
    clock = Clock()
    deliver(catalog, [target(url)], budget_s=0.5, now=clock)
    assert errors(catalog) == [("pending", 1, UNREACHABLE), ("pending", 0, None),
                               ("pending", 0, None)]  # fmt: skip


def test_a_receiver_that_never_answers_holds_up_neither_the_run_nor_the_others(
    catalog, posted, webhook
):
    posted("to nobody")
    posted("1", "2", "3", target="fine")
    with silent_receiver() as port:
        targets = [target(f"json://127.0.0.1:{port}/{SECRET}"), target(webhook.url(), "fine")]
        started = time.monotonic()
        deliver(catalog, targets, budget_s=2, now=Clock())
        assert time.monotonic() - started < 3
    assert webhook.titles == ["1", "2", "3"]
    assert errors(catalog) == [("pending", 1, UNREACHABLE)]


def test_a_message_that_is_refused_holds_up_only_its_own_alert(catalog, posted, webhook):
    posted("refused", "its end", key=Key("run", "a"))
    posted("fine", key=Key("run", "b"))
    webhook.refusals = [400]
    clock = Clock()
    deliver(catalog, [target(webhook.url())], budget_s=0.5, now=clock)
    assert webhook.titles == ["fine"]
    clock.now += timedelta(minutes=1)
    deliver(catalog, [target(webhook.url())], budget_s=0.5, now=clock)
    assert webhook.titles == ["fine", "refused", "its end"]


def test_a_message_is_given_up_after_a_week_and_stays_to_be_seen(catalog, posted, webhook):
    posted("never")
    webhook.refusals = [500] * 9
    clock = Clock()
    clock.now += timedelta(days=7)
    deliver(catalog, [target(webhook.url())], budget_s=0.5, now=clock)
    assert [state for state, _, _ in errors(catalog)] == ["failed"]
    clock.now += timedelta(days=1)
    deliver(catalog, [target(webhook.url())], budget_s=0.5, now=clock)
    assert webhook.n_requests == 1


def test_what_is_for_a_target_of_other_settings_is_kept_for_it(catalog, posted, webhook):
    posted("for ops")
    deliver(catalog, [], budget_s=1, now=Clock())
    deliver(catalog, [target(webhook.url(), "other")], budget_s=1, now=Clock())
    assert errors(catalog) == [("pending", 0, None)]
    deliver(catalog, [target(webhook.url())], budget_s=1, now=Clock())
    assert webhook.titles == ["for ops"]


def test_a_mail_has_the_title_as_its_subject_and_the_text_as_its_body(catalog, posted):
    posted("[error] handbook: the run failed")
    server = MailServer()
    try:
        deliver(catalog, [target(server.url)], budget_s=10, now=Clock())
    finally:
        server.close()
    (mail,) = server.mails
    assert mail["subject"] == "[error] handbook: the run failed"
    assert mail["to"] == "ops@example.org"
    assert mail.get_body(("plain",)).get_content().strip() == "Mend it."


@pytest.mark.parametrize("scheme", ["json", "jsons", "mailto", "slack"])
def test_why_a_message_did_not_arrive_tells_no_secret(catalog, posted, capfd, caplog, scheme):
    posted("t")
    urls = {
        "mailto": f"mailto://me:{SECRET}@127.0.0.1:1?from=a@example.org&to=b@example.org",
        "slack": f"slack://{SECRET}",
    }
    url = urls.get(scheme, f"{scheme}://me:{SECRET}@127.0.0.1:1/{SECRET}")
    deliver(catalog, [target(url)], budget_s=0.9, now=Clock())
    ((state, n_attempts, error),) = errors(catalog)
    assert (state, n_attempts) == ("pending", 1)
    said = "".join([error, caplog.text, *capfd.readouterr()])
    assert SECRET not in said
    assert "127.0.0.1" not in said
