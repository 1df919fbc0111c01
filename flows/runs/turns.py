"""Taking turns at embedding, over all runs and machines that share a Prefect server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from prefect import get_client
from prefect.concurrency.sync import concurrency

LIMIT: Final = "headwater-embedding"
"""The global concurrency limit of Prefect's that counts them."""
_LEASE_S: Final = 60.0
"""After which the turn of one that was killed is another's; the least that Prefect allows."""
_PATIENCE_S: Final = 5.0
"""How long to wait before looking whether the run is to stop."""


def set_limit(at_once: int | None) -> None:
    """Have Prefect's server know how many may embed at the same time; nothing without a number."""
    if at_once is not None:
        with get_client(sync_client=True) as client:
            client.upsert_global_concurrency_limit_by_name(LIMIT, at_once)


@contextmanager
def turn(at_once: int | None, check: Callable[[], None]) -> Iterator[None]:
    """Wait for a turn, which is over with the block; none is waited for without a number.

    Args:
        at_once: As in `set_limit`.
        check: Called while waiting; what it raises ends that.
    """
    with ExitStack() as held:
        is_waiting = at_once is not None
        while is_waiting:
            check()
            waited = concurrency(
                LIMIT,
                timeout_seconds=_PATIENCE_S,
                lease_duration=_LEASE_S,
                strict=True,
                # One batch too many is better than a run that is ended for a blip of Prefect's.
                raise_on_lease_renewal_failure=False,
            )
            try:
                held.enter_context(waited)
                is_waiting = False
            except TimeoutError:
                continue
        yield
