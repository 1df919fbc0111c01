"""URLs that must not be shown."""

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_SECRET: Final = re.compile(r"sig|token|key|secret|passw|credential|auth", re.IGNORECASE)
"""In the name of a part of a query: what it stands for lets anybody in."""


def holds_secret(url: str) -> bool:
    """Whether a URL of a source holds a password, or what does the same."""
    parts = urlsplit(url)
    return bool(parts.password) or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query))
