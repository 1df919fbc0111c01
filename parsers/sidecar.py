"""Sidecar files: what stands beside a document and says something of it."""

import json
from typing import Final

from parsers.document import clean_text
from parsers.web.front_matter import load_yaml, read_fields

SUFFIXES: Final = (".meta.json", ".meta.yaml")
"""Behind the whole name of a document: `leave.pdf.meta.json`. The first goes before the second."""
MAX_BYTES: Final = 64 * 1024


def read_sidecar(name: str, data: bytes) -> dict[str, str] | None:
    """The fields of a sidecar as text, under names in lower_snake_case.

    Args:
        name: Its name, which tells JSON from YAML.
        data: Its bytes, at most `MAX_BYTES`.

    Returns:
        None if it is no object with fields.
    """
    try:
        text = clean_text(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None
    return read_fields(text, json.loads if name.endswith(SUFFIXES[0]) else load_yaml)
