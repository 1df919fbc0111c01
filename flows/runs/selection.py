"""Which source is meant: a configured one by its name, or any folder, file or URL."""

import hashlib
import re
from pathlib import Path

from flows.errors import UsageError
from flows.runs.secrecy import holds_secret
from flows.settings import Settings
from flows.source_settings import SourceSettings
from index.catalog.database import Catalog
from index.catalog.runs import find_source


def select_source(settings: Settings, catalog: Catalog, named: str) -> SourceSettings:
    """The source that `named` stands for.

    A path needs no configuration: its source is named after its last part, with a mark of the
    whole path behind it if that name is taken by a source elsewhere.

    Raises:
        UsageError: It is neither a configured source nor a place that exists.
    """
    if configured := settings.source(named):
        return configured
    require_place(settings, named)
    if holds_secret(named):
        raise UsageError(
            "the URL holds a password or a token, and would be shown: "
            "leave that to the environment or to fsspec's configuration"
        )
    root = named if "://" in named else str(Path(named).resolve())
    same_place = next((s for s in settings.sources if s.uri.rstrip("/") == root), None)
    return same_place or SourceSettings(name=_name(settings, catalog, root), uri=root)


def require_place(settings: Settings, named: str) -> None:
    """Raise `UsageError` unless `named` is a configured source or a place."""
    if settings.source(named) is None and "://" not in named and not Path(named).exists():
        names = ", ".join(source.name for source in settings.sources) or "none is configured"
        raise UsageError(f"there is no file or folder {named}, and no such source ({names})")


def _name(settings: Settings, catalog: Catalog, root: str) -> str:
    last = root.rstrip("/").rsplit("/", 1)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:40] or "source"
    with catalog.reading() as connection:
        known = find_source(connection, plain)
    is_free = settings.source(plain) is None and (known is None or known["root"] == root)
    return plain if is_free else f"{plain}-{hashlib.sha256(root.encode()).hexdigest()[:6]}"
