"""A source's metadata fields, as its settings have them: their rules, and what may fill them."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from checks.resolvers import Ask, Resolver, on_path
from checks.rows import TYPES
from checks.rules import FieldRule
from flows.metadata.lookups import Lookups
from flows.metadata.settings import FieldSettings
from flows.source_settings import SourceSettings


@dataclass(frozen=True, slots=True)
class SourceFields:
    """What a source demands of metadata."""

    rules: tuple[FieldRule, ...]
    patterns: Mapping[str, re.Pattern[str]]
    """On the uri, by field."""
    defaults: Mapping[str, str]
    lookups: Lookups
    drops_chunks: bool
    """Chunks that break the contract are left out, and the others stay."""
    key: str
    """Changes with whatever of this decides over documents; empty if nothing is demanded."""

    @property
    def fillable(self) -> tuple[str, ...]:
        """The fields that are not among the contract's own."""
        return tuple(rule.name for rule in self.rules if rule.name not in TYPES)

    def stated(self, properties: Mapping[str, str]) -> dict[str, str]:
        """What a document says of itself in these fields."""
        return {name: properties[name] for name in self.fillable if name in properties}

    def resolvers(self, uri: str, sidecar: Mapping[str, str]) -> list[tuple[Resolver, Ask]]:
        """What else may give a document's fields their values, in order."""
        return [
            (Resolver.SIDECAR, sidecar.get),
            (Resolver.PATH, on_path(self.patterns, uri)),
            (Resolver.LOOKUP, lambda name: self.lookups.ask(name, uri)),
            (Resolver.DEFAULT, self.defaults.get),
        ]


def fields_of(source: SourceSettings) -> SourceFields:
    """The fields that a source's settings name, in whichever form."""
    named = {name: FieldSettings() for name in source.required_metadata} | dict(source.metadata)
    return SourceFields(
        rules=tuple(_rule(source, name, field) for name, field in named.items()),
        patterns={n: re.compile(field.from_path) for n, field in named.items() if field.from_path},
        defaults={name: field.default for name, field in named.items() if field.default},
        lookups=Lookups({n: field.lookup for n, field in named.items() if field.lookup}),
        drops_chunks=source.on_invalid_chunk == "drop",
        key=_key(source),
    )


def _rule(source: SourceSettings, name: str, field: FieldSettings) -> FieldRule:
    return FieldRule(
        name,
        required=field.required or name in source.required_metadata,
        allowed=field.allowed,
        pattern=field.pattern,
        severity=field.severity,
    )


def _key(source: SourceSettings) -> str:
    decisive = {"required_metadata", "metadata", "on_invalid_chunk"}
    set_ones = source.model_dump_json(include=decisive, exclude_defaults=True)
    return "" if set_ones == "{}" else hashlib.sha256(set_ones.encode()).hexdigest()[:16]
