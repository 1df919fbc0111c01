"""Taking turns at embedding: in this process, and over all machines that share a Prefect server.

The model uses all processors: of two batches that share it, neither is done sooner, and both may
leave it idle at the same time. One batch has it until it is done; the next gets ready meanwhile.
"""

import threading
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
_here: Final = threading.Lock()


def set_limit(at_once: int | None) -> None:
    """Have Prefect's server know how many may embed at the same time; nothing without a number."""
    if at_once is not None:
        with get_client(sync_client=True) as client:
            client.upsert_global_concurrency_limit_by_name(LIMIT, at_once)


@contextmanager
def turn(at_once: int | None, check: Callable[[], None]) -> Iterator[None]:
    """Wait for a turn, which is over with the block.

    Args:
        at_once: As in `set_limit`; without a number only this process is asked.
        check: Called while waiting; what it raises ends that.
    """
    while not _here.acquire(timeout=_PATIENCE_S):
        check()
    with ExitStack() as held:
        held.callback(_here.release)
        is_waiting = at_once is not None
        while is_waiting:
            check()
            waited = concurrency(
                LIMIT, timeout_seconds=_PATIENCE_S, lease_duration=_LEASE_S, strict=True
            )
            try:
                held.enter_context(waited)
                is_waiting = False
            except TimeoutError:
                continue
        yield
