"""The outbox in the catalog: claimed by one sender, in order, and lost by none."""

from datetime import timedelta

import pytest

from index.catalog import alerts
from index.catalog.alerts import Claim, Key, Letter, Phase, Severity
from index.catalog.database import Catalog
from tests.index.conftest import NOW

MINUTE = timedelta(minutes=1)
RUN, STORE = Key("run", "handbook"), Key("store_unavailable", "")


def letter(key: Key = RUN, target: str = "ops", title: str = "t") -> Letter:
    return Letter(key, target, Phase.STARTED, Severity.ERROR, title, "b")


@pytest.fixture
def posted(catalog: Catalog) -> Catalog:
    """Two messages of one alert and one of another to `ops`, and one to `hr`."""
    sent = [letter(title="1"), letter(title="2"), letter(STORE, title="3"), letter(target="hr")]
    with catalog.writing() as connection:
        alerts.post(connection, sent, NOW)
    return catalog


def claim(catalog: Catalog, at=NOW, targets=("ops", "hr"), **options) -> Claim:
    with catalog.writing() as connection:
        return alerts.claim(connection, targets, at, claim_for=MINUTE, **options)


def titles(taken: Claim) -> list[str]:
    return [one.letter.title for one in taken.deliveries]


def test_what_one_sender_has_no_other_takes_until_the_claim_is_over(posted):
    assert titles(claim(posted)) == ["1", "2", "3", "t"]
    assert claim(posted).deliveries == ()
    assert titles(claim(posted, NOW + 2 * MINUTE)) == ["1", "2", "3", "t"]


def test_what_is_for_others_stays(posted):
    assert titles(claim(posted, targets=["hr"])) == ["t"]
    assert titles(claim(posted, targets=["ops"])) == ["1", "2", "3"]


def test_a_message_waits_for_those_of_its_alert_that_come_before_it(posted):
    first = claim(posted).deliveries[0]
    with posted.writing() as connection:
        alerts.mark_undelivered(connection, first.id, "down", NOW + 5 * MINUTE)
    later = claim(posted, NOW + 2 * MINUTE)
    assert titles(later) == ["3", "t"]
    assert later.next_due == NOW + 5 * MINUTE
    assert titles(claim(posted, NOW + 2 * MINUTE, at_once=True)) == ["1", "2"]


def test_a_message_behind_one_that_another_sender_has_waits_too(posted):
    with posted.writing() as connection:
        first = alerts.claim(connection, ["ops"], NOW, claim_for=MINUTE).deliveries
        for one in first[1:]:
            alerts.release(connection, one.id, NOW)
    assert titles(claim(posted, targets=["ops"])) == ["3"]


def test_what_arrived_is_not_sent_again_and_what_was_given_up_is_shown(posted):
    one, two, *_ = claim(posted).deliveries
    with posted.writing() as connection:
        alerts.mark_delivered(connection, one.id, NOW)
        alerts.mark_undelivered(connection, two.id, "down", None)
    assert titles(claim(posted, NOW + 2 * MINUTE)) == ["3", "t"]
    with posted.reading() as connection:
        assert alerts.last_delivered(connection) == {RUN: NOW}
        rows = alerts.undelivered(connection)[RUN]
        counts = alerts.count_by_state(connection)
    assert [(row["state"], row["error"]) for row in rows] == [("failed", "down"), ("pending", None)]
    assert counts == {"pending": 2, "delivered": 1, "failed": 1}


def test_a_transaction_that_fails_posts_nothing(catalog):
    with pytest.raises(ZeroDivisionError), catalog.writing() as connection:
        alerts.post(connection, [letter()], NOW)
        _ = 1 / 0
    assert claim(catalog).deliveries == ()


def test_old_messages_are_forgotten(posted):
    with posted.writing() as connection:
        alerts.post(connection, [letter(title="new")], NOW + 5 * MINUTE)
        alerts.forget(connection, NOW + MINUTE)
    assert titles(claim(posted, NOW + 5 * MINUTE)) == ["new"]
