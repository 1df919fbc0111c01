"""Ending with whoever started this process, however that came to its end."""

import os
import threading
import time
from collections.abc import MutableMapping
from typing import Final

_PARENT: Final = "_HEADWATER_PARENT"
_POLL_S: Final = 0.2


def name_as_parent(environment: MutableMapping[str, str]) -> None:
    """Have processes that are started with this environment end with this one."""
    environment[_PARENT] = str(os.getpid())


def end_with_parent() -> None:
    """End this process, at once, as soon as its parent has ended.

    A parent may be gone before its child can look; so the environment says who it was.
    """
    parent = int(os.environ.get(_PARENT) or os.getppid())
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    # Nothing is worth a graceful end: every store is made to be ended so.
    os._exit(1)
