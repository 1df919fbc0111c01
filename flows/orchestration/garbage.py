"""Having a process that lasts give its garbage back soon."""

import gc


def collect_often() -> None:
    """Leave what there is now out of every later search for garbage; called once, after the start.

    Python searches all that there is only once that has grown by a quarter. With the hundreds of
    thousands of objects of the libraries that are loaded, closed connections would wait for that
    for hours, and with each the memory of a TLS context or of a compressor.
    """
    gc.collect()
    gc.freeze()
