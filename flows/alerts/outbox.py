"""Delivering what the outbox holds: at least once, in bounded time, whatever receivers do.

Messages are claimed, sent by a thread for each target, and marked one by one as they arrive. A
thread that a receiver does not let go is left behind: it ends with the process.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from flows.alerts.delivery import UNREACHABLE, send
from flows.alerts.settings import TargetSettings
from flows.orchestration.runtime import SecretMissing, secret_block
from index.catalog import alerts as alert_rows
from index.catalog.alerts import Delivery, Key, Letter
from index.catalog.database import Catalog

_LOGGER: Final = logging.getLogger(__name__)
RUN_BUDGET_S: Final = 20.0
"""How long a run that is over waits for receivers, at most."""
START_BUDGET_S: Final = 5.0
_ANSWER_S: Final = 10.0
"""How long one receiver may take for one message."""
_CLAIM: Final = timedelta(seconds=60)
"""Longer than any budget."""
_BACKOFF_S: Final = (1, 5, 30, 120, 600, 3600)
_GIVE_UP_AFTER: Final = timedelta(days=7)
_KEEP: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a message."""

    delivery: Delivery
    problem: str | None
    """Why it did not arrive; empty if it did, None if it was not tried."""
    behind: Delivery | None = None
    """What failed before it, so that it was not tried."""


def deliver(
    catalog: Catalog,
    targets: Sequence[TargetSettings],
    *,
    budget_s: float,
    at_once: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Send what is due, and what becomes due while there is time.

    Args:
        catalog: With the outbox.
        targets: Where to; what is for others stays.
        budget_s: How long this may take.
        at_once: Try also what failed so lately that it is not due again.
        now: The time.

    Raises:
        StoreUnavailable: The catalog failed; what was not marked is sent again.
    """
    deadline = time.monotonic() + budget_s
    by_name = {target.name: target for target in targets}
    while by_name:
        with catalog.writing() as connection:
            alert_rows.forget(connection, now() - _KEEP)
            taken = alert_rows.claim(connection, by_name, now(), claim_for=_CLAIM, at_once=at_once)
        at_once = False
        for attempt in send_all(taken.deliveries, by_name, deadline):
            _record(catalog, attempt, now())
        if not taken.deliveries and not _wait_for(taken.next_due, now(), deadline):
            return


def _wait_for(due: datetime | None, now: datetime, deadline: float) -> bool:
    """Sleep until something is due; False if that is too late."""
    if due is None:
        return False
    wait_s = max(0.0, (due - now).total_seconds())
    if time.monotonic() + wait_s >= deadline:
        return False
    time.sleep(wait_s)
    return True


def _record(catalog: Catalog, attempt: Attempt, now: datetime) -> None:
    delivery = attempt.delivery
    with catalog.writing() as connection:
        if attempt.problem is None:
            later = _next_try(attempt.behind or delivery, now)
            alert_rows.release(connection, delivery.id, later or now)
        elif not attempt.problem:
            alert_rows.mark_delivered(connection, delivery.id, now)
        else:
            _LOGGER.warning("alert target %s: %s", delivery.letter.target, attempt.problem)
            due_at = _next_try(delivery, now)
            alert_rows.mark_undelivered(connection, delivery.id, attempt.problem, due_at)


def _next_try(delivery: Delivery, now: datetime) -> datetime | None:
    if now - delivery.created_at >= _GIVE_UP_AFTER:
        return None
    delay_s = _BACKOFF_S[min(delivery.n_attempts, len(_BACKOFF_S) - 1)]
    return now + timedelta(seconds=delay_s)


def send_all(
    deliveries: Sequence[Delivery], targets: Mapping[str, TargetSettings], deadline: float
) -> Iterator[Attempt]:
    """Send messages, those to different targets side by side.

    Args:
        deliveries: To targets that are among `targets`.
        targets: By name.
        deadline: Of the monotonic clock.

    Yields:
        What came of each, as soon as it is known; exactly one for each.
    """
    done: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
    stop = threading.Event()
    for name, mail in _by_target(deliveries).items():
        try:
            url = url_of(targets[name])
        except SecretMissing as error:
            yield from (Attempt(delivery, str(error)) for delivery in mail)
            deliveries = [one for one in deliveries if one.letter.target != name]
            continue
        threading.Thread(target=_send_in_turn, args=(url, mail, done, stop), daemon=True).start()
    try:
        yield from _awaited(deliveries, done, deadline)
    finally:
        stop.set()


def _awaited(
    deliveries: Sequence[Delivery], done: "queue.SimpleQueue[Attempt]", deadline: float
) -> Iterator[Attempt]:
    """What threads say of messages; those of a thread that says nothing have not arrived."""
    left = {delivery.id: delivery for delivery in deliveries}
    while left and (wait_s := min(_ANSWER_S, deadline - time.monotonic())) > 0:
        try:
            attempt = done.get(timeout=wait_s)
        except queue.Empty:
            break
        del left[attempt.delivery.id]
        yield attempt
    for mail in _by_target(list(left.values())).values():
        yield Attempt(mail[0], UNREACHABLE)
        yield from (Attempt(delivery, None, behind=mail[0]) for delivery in mail[1:])


def _by_target(deliveries: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    grouped: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        grouped.setdefault(delivery.letter.target, []).append(delivery)
    return grouped


def url_of(target: TargetSettings) -> str:
    """Where a target is.

    Raises:
        SecretMissing: Prefect does not give away the block that says so.
    """
    return target.known_url() or secret_block(str(target.block))


def _send_in_turn(
    url: str,
    mail: Sequence[Delivery],
    done: "queue.SimpleQueue[Attempt]",
    stop: threading.Event,
) -> None:
    """Send one after the other; what follows upon one that failed is left for another time."""
    failed: dict[Key, Delivery] = {}
    away: Delivery | None = None
    for delivery in mail:
        if stop.is_set():
            return
        behind = away or failed.get(delivery.letter.key)
        problem = None if behind else send(url, delivery.letter)
        if problem:
            failed[delivery.letter.key] = delivery
        if problem == UNREACHABLE:
            away = delivery
        done.put(Attempt(delivery, problem, behind))


def send_now(targets: Sequence[TargetSettings], letters: Sequence[Letter]) -> list[Attempt]:
    """Send messages past the outbox, one attempt each; of each target what came of it."""
    moment = datetime.now(UTC)
    deliveries = [Delivery(number, one, 0, moment) for number, one in enumerate(letters)]
    by_name = {target.name: target for target in targets}
    return list(send_all(deliveries, by_name, time.monotonic() + RUN_BUDGET_S))
