"""Settings of a source: where its documents come from, and what is asked of them."""

import os
import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from fsspec.utils import glob_translate
from pydantic import AfterValidator, Field

from checks.freshness import Objective
from flows.metadata.settings import CorpusSettings, FieldName, FieldSettings
from flows.setting_values import Duration, Strict
from flows.up.settings import HeartbeatUrl, Schedule
from index.plan import EVERYTHING

_JUNK: Final = (
    "**/.git/**",
    "**/.svn/**",
    "**/.hg/**",
    "**/.DS_Store",
    "**/Thumbs.db",
    "**/desktop.ini",
    "**/~$*",
)
"""Version control and what desktops and office programs leave beside documents."""


def _source_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        raise ValueError("letters, digits, '.', '_' and '-', at most 63, not starting with a sign")
    return value


SourceName = Annotated[str, AfterValidator(_source_name)]


class Freshness(Strict):
    """How stale a source may be."""

    warn_after: Duration = timedelta(hours=2)
    error_after: Duration = timedelta(hours=24)
    target: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of the time in which the source is to be within `error_after`."""

    @property
    def objective(self) -> Objective:
        return Objective(self.warn_after, self.error_after, self.target)


class CanarySettings(Strict):
    """Measuring how long a change takes until a search finds it, with a document of our own."""

    enabled: bool = False
    """Let `headwater canary` write it; the source must be a folder on this machine."""


class PasswordSettings(Strict):
    """Passwords for encrypted documents; they themselves stand in the environment."""

    pattern: str = "**/*"
    """Glob on the uri: which documents to try them on."""
    env: str
    """Name of the environment variable that holds them, one a line."""


class RequestSettings(Strict):
    """How hard one process may press a remote source."""

    at_once: Annotated[int, Field(ge=1, le=64)] = 8
    per_second: Annotated[float, Field(gt=0)] | None = None
    """Requests for documents, evenly spread; any number if None."""


class SourceSettings(Strict):
    """A named place that documents come from."""

    name: SourceName
    uri: str
    """A folder, a file, or any fsspec URL."""
    include: tuple[str, ...] = EVERYTHING
    exclude: tuple[str, ...] = _JUNK
    schedule: Schedule | None = None
    """Cron, in UTC, or an interval."""
    heartbeat_url: HeartbeatUrl | None = None
    """Called by each run that comes to its end, in place of the one in `alerts`."""
    freshness: Freshness = Freshness()
    keep_last_good: bool = True
    """Keep what is searchable of a document that can no longer be read, marked as stale."""
    canary: CanarySettings = CanarySettings()
    required_metadata: tuple[FieldName, ...] = ()
    """Short for `metadata.FIELD.required = true`."""
    metadata: dict[FieldName, FieldSettings] = Field(default_factory=dict)
    """By field, what it must be and where its value may come from."""
    on_invalid_chunk: Literal["quarantine", "drop"] = "quarantine"
    """What becomes of a document some of whose chunks break the contract."""
    checks: CorpusSettings = CorpusSettings()
    """What a whole run must come to."""
    removal_guard: Annotated[float, Field(gt=0, le=1)] = 0.3
    """A scan that would remove a larger share of the documents stops."""
    max_documents_per_run: Annotated[int, Field(ge=1)] | None = None
    """A run that would read more leaves the rest to the next; no bound if None."""
    requests: RequestSettings = RequestSettings()
    passwords: tuple[PasswordSettings, ...] = ()
    open_archives: bool = True
    """Make each file in an archive a document of its own."""
    include_hidden: bool = False
    """Read hidden sheets, rows, columns and slides too."""
    include_bots: bool = False
    """Read what bots wrote into a Slack conversation too."""
    include_private: bool = False
    """Read private channels and direct messages of a Slack export too."""

    def passwords_for(self, uri: str) -> tuple[str, ...]:
        """What to try on an encrypted document."""
        return tuple(
            password
            for entry in self.passwords
            if re.match(glob_translate(entry.pattern), uri)
            for password in os.environ[entry.env].splitlines()
        )
