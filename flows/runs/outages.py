"""Waiting for what may come back."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from index.errors import DiskFull, LeaseLost, ReadOnly, StoreBusy, StoreUnavailable

RETRY_DELAYS_S: Final = [0.5, 2.0, 5.0]

_Answer = TypeVar("_Answer")


def may_come_back(error: BaseException) -> bool:
    """Whether a store that failed so is worth asking again without anyone doing something."""
    return isinstance(error, StoreUnavailable) and not isinstance(
        error, DiskFull | LeaseLost | ReadOnly | StoreBusy
    )


def persistently(action: Callable[[], _Answer]) -> _Answer:
    """What `action` returns, tried again while a store is away.

    Raises:
        StoreUnavailable: It stayed away.
    """
    for delay_s in RETRY_DELAYS_S:
        try:
            return action()
        except StoreUnavailable as error:
            if not may_come_back(error):
                raise
        time.sleep(delay_s)
    return action()
