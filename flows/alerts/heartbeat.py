"""Calling a URL when a run has come to its end, for whoever watches that runs go on.

A scheduler that is down cannot say so; whoever waits for this call and does not get it can. The URL
is a secret: nothing that is logged, told or raised shows it.
"""

import logging
import time
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from checks.alert_texts import heartbeat_failed
from checks.alerts import Kind
from flows.alerts.events import of_alert, publish
from flows.alerts.telling import tell
from flows.settings import Settings
from flows.source_settings import SourceSettings
from index.catalog.alerts import Key
from index.catalog.database import Catalog
from index.errors import StoreUnavailable

_LOGGER: Final = logging.getLogger(__name__)
_ANSWER_S: Final = 5.0
_DELAYS_S: Final = (0.5, 2.0)
"""Before it is called again."""


def beat(catalog: Catalog, settings: Settings, source: SourceSettings) -> None:
    """Call the URL of a source whose run has come to its end, and tell people if that fails."""
    url = source.heartbeat_url or settings.alerts.heartbeat_url
    if url is None:
        return
    problem = _called(url)
    if problem:
        _LOGGER.warning("the heartbeat of source %s: %s", source.name, problem)
    failed = [heartbeat_failed(source.name, problem)] if problem else []
    # The run is over, and recorded: no store can make it fail any more.
    with suppress(StoreUnavailable):
        with catalog.writing() as connection:
            key = Key(Kind.HEARTBEAT, source.name)
            steps = tell(connection, settings, failed, {key}, datetime.now(UTC))
        publish(of_alert(step) for step in steps)


def _called(url: SecretStr) -> str:
    """Call it, more than once if need be; why that failed, empty if it did not."""
    problem = _call(url)
    for delay_s in _DELAYS_S:
        if not problem:
            break
        time.sleep(delay_s)
        problem = _call(url)
    return problem


def _call(url: SecretStr) -> str:
    try:
        with urllib.request.urlopen(url.get_secret_value(), timeout=_ANSWER_S):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"the receiver did not take it (HTTP {error.code})"
    except (urllib.error.URLError, OSError, ValueError):
        return "the receiver cannot be reached, or does not answer"
