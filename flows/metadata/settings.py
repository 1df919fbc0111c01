"""Settings of what documents must say of themselves, and of what a whole run must come to."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from checks.corpus import Threshold
from checks.rows import MAX_KEY_BYTES, SPAN_TEXT, TEXT, TYPES
from checks.rules import Severity
from flows.setting_values import Duration, Strict

_FIELD_NAME: Final = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_KEY_BYTES - 1}}}")
_URL: Final = re.compile(r"https?://\S+")


def _field_name(value: str) -> str:
    if not _FIELD_NAME.fullmatch(value):
        raise ValueError(f"lower_snake_case, at most {MAX_KEY_BYTES} characters: effective_date")
    return value


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return value


def _lookup_url(value: str) -> str:
    if not _URL.fullmatch(value) or "{uri}" not in value:
        raise ValueError("http:// or https://, with {uri} where the document's uri is to stand")
    return value


FieldName = Annotated[str, AfterValidator(_field_name)]
Expression = Annotated[str, AfterValidator(_expression)]
Bound = Annotated[float, Field(ge=0)]


class LookupSettings(Strict):
    """A service that knows a field of documents, and answers with a JSON object."""

    url: Annotated[str, AfterValidator(_lookup_url)]
    """With `{uri}`."""
    field: str
    """The key in its answer."""
    timeout: Duration = timedelta(seconds=5)


class FieldSettings(Strict):
    """What a metadata field must be, and where its value may come from besides the document."""

    required: bool = False
    allowed: tuple[str, ...] = ()
    pattern: Expression = ""
    """Found in every value."""
    severity: Severity = Severity.ERROR
    from_path: Expression = ""
    """With a group that has the field's name: `^(?P<owner>[^/]+)/`."""
    lookup: LookupSettings | None = None
    default: str = ""


class ThresholdSettings(Strict):
    """Between which numbers a run is as it should be."""

    min: Bound | None = None
    """Below it, the run fails."""
    max: Bound | None = None
    """Above it, the run warns."""
    stop_above: Bound | None = None
    """Above it, the run fails."""

    @property
    def threshold(self) -> Threshold:
        return Threshold(self.min, self.max, self.stop_above)


class CorpusSettings(Strict):
    """What a whole run must come to. Only what is sure to be odd is judged unless it is set."""

    from_documents: Annotated[int, Field(ge=1)] = 20
    """With fewer, a share says nothing and is not judged."""
    languages: tuple[str, ...] = ()
    """Those that are expected, as ISO 639-1; all if empty."""
    documents_listed: ThresholdSettings = ThresholdSettings()
    """However few they are."""
    documents_against_last: ThresholdSettings = ThresholdSettings(min=0.5)
    """Documents listed, divided by those of the last run that did not fail."""
    share_quarantined: ThresholdSettings = ThresholdSettings(max=0.5)
    share_unreadable: ThresholdSettings = ThresholdSettings(max=0.5)
    """Of the documents: those whose text, or some of it, is empty or garbled."""
    share_other_languages: ThresholdSettings = ThresholdSettings(max=0.2)
    """Of the searchable documents, where `languages` is set."""
    share_duplicate_chunks: ThresholdSettings = ThresholdSettings(max=0.5)
    chunks_per_document: ThresholdSettings = ThresholdSettings()
    """Of the searchable documents."""

    @property
    def thresholds(self) -> dict[str, Threshold]:
        """By the name of what is measured."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: setting.threshold
            for name, setting in named.items()
            if isinstance(setting, ThresholdSettings)
        }


def faults(metadata: Mapping[str, FieldSettings]) -> Iterator[str]:
    """What is wrong with fields' settings that only shows when they are taken together."""
    for name, field in metadata.items():
        if name in (TEXT, SPAN_TEXT):
            yield f"{name} is wrong: the field needs another name"
        if name in TYPES and (field.from_path or field.lookup or field.default):
            yield f"{name} is wrong: Headwater fills this field itself"
        if field.from_path and name not in re.compile(field.from_path).groupindex:
            group = f"(?P<{name}>…)"
            yield f"{name}.from_path = {field.from_path!r} is wrong: it needs a group {group}"
        if field.default and not _accepts(field, field.default):
            yield f"{name}.default = {field.default!r} is wrong: the field may not be that"


def _accepts(field: FieldSettings, value: str) -> bool:
    is_allowed = not field.allowed or value in field.allowed
    return is_allowed and re.search(field.pattern, value) is not None
