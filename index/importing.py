"""One import of a large library at a time.

Python gives up with "deadlock detected" where two threads import libraries that share parts, as
Great Expectations and sentence-transformers do.
"""

import threading
from typing import Final

IMPORTING: Final = threading.RLock()
"""Held while a large library is imported, or does for the first time what imports the rest of it.
"""
