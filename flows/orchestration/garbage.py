"""Having a process that lasts give back soon what it needs no more."""

import ctypes
import gc
import threading
import time
from typing import Final

_EVERY_S: Final = 60.0


def collect_often() -> None:
    """Collect garbage every minute, of what comes to be from now on; called once, after the start.

    Left to itself, Python searches all that there is only once that has grown by a quarter. With
    the hundreds of thousands of objects of the libraries that are loaded, closed connections would
    wait for that for hours, and with each the memory of a TLS context or of a compressor. What is
    free then goes back to the system, where the C library can do that (glibc).
    """
    gc.collect()
    gc.freeze()
    threading.Thread(target=_collect, daemon=True, name="garbage").start()


def _collect() -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while True:
        time.sleep(_EVERY_S)
        gc.collect()
        if trim is not None:
            trim(0)
