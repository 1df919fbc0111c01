"""Front matter: the fields that stand above a Markdown text, in YAML or TOML."""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Final

import yaml

from parsers.document import clean_text

_YAML: Final = re.compile(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TOML: Final = re.compile(r"\+\+\+[ \t]*\n(.*?\n)??\+\+\+[ \t]*(?:\n|\Z)", re.S)
_FIELD: Final = re.compile(r"\s*(?:#.*\n\s*)*[\w\"'][^:=\n]*[:=]")
_MAX_FRONT_MATTER: Final = 64 * 1024
"""Characters. PyYAML reads some 100,000 a second."""
_MAX_BRACKETS: Final = 1_000
"""PyYAML looks through all that are open at every token."""


def split_front_matter(source: str) -> tuple[dict[str, str], str, int]:
    """The fields of a normalised text's front matter, and the text behind it.

    Returns:
        Fields under names in lower_snake_case; the text; how many characters at its start are
        front matter that is too broken to be read, and therefore stays.
    """
    for pattern, load in ((_YAML, load_yaml), (_TOML, tomllib.loads)):
        match = pattern.match(source, 0, _MAX_FRONT_MATTER)
        if match is None:
            continue
        matter = match.group(1) or ""
        properties = read_fields(matter, load)
        if properties is not None:
            return properties, source[match.end() :], 0
        # Else it is a rule, some text, and another rule.
        return {}, source, match.end() if _FIELD.match(matter) else 0
    return {}, source, 0


def read_fields(matter: str, load: Callable[[str], object]) -> dict[str, str] | None:
    """The fields as text under names in lower_snake_case; None if `matter` cannot be read."""
    try:
        values = load(matter) or {}
        if not isinstance(values, Mapping):
            return None
        properties: dict[str, str] = {}
        for key, value in values.items():
            properties.setdefault(re.sub(r"[\s-]+", "_", str(key).strip().lower()), _text(value))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return properties


def load_yaml(matter: str) -> object:
    """As `yaml.safe_load`, without aliases: a few of them stand for more text than fits a disk."""
    if matter.count("[") + matter.count("{") > _MAX_BRACKETS:
        raise yaml.YAMLError("brackets")
    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(matter)):
        raise yaml.YAMLError("aliases")
    return yaml.safe_load(matter)


def _text(value: object) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return "" if value is None else clean_text(str(value)).strip()
