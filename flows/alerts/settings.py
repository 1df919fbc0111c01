"""Settings of alerts: who is told of what.

A target's URL holds its secrets, so it is never shown: a target is known by its name.
"""

import os
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from checks.alerts import Route
from flows.setting_values import Duration
from flows.up.settings import HeartbeatUrl
from index.catalog.alerts import Severity


def _variable(value: str) -> str:
    if not value.isidentifier():
        raise ValueError("the name of an environment variable that holds the URL")
    return value


class _Strict(BaseModel):
    # An error would show the value that is wrong, which may be a URL.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TargetSettings(_Strict):
    """Somebody, or something, that is told of alerts."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    url: SecretStr | None = None
    """An Apprise URL: Slack, e-mail, Teams, PagerDuty, a webhook, …"""
    url_env: Annotated[str, AfterValidator(_variable)] | None = None
    """The environment variable that holds it."""
    block: str | None = None
    """The Prefect Secret block that holds it."""
    min_severity: Severity = Severity.WARNING
    sources: tuple[str, ...] = ("*",)
    """Globs on the names of sources."""

    @model_validator(mode="after")
    def _has_one_url(self) -> Self:
        if sum(given is not None for given in (self.url, self.url_env, self.block)) != 1:
            raise ValueError("one of url, url_env and block is needed, and only one")
        return self

    @property
    def route(self) -> Route:
        return Route(self.name, self.min_severity, self.sources)

    def known_url(self) -> str | None:
        """The URL; None if a Prefect block holds it.

        Raises:
            KeyError: There is no such environment variable.
        """
        if self.url is not None:
            return self.url.get_secret_value()
        return None if self.url_env is None else os.environ[self.url_env]


class AlertSettings(_Strict):
    """What people are told, and how often."""

    urls: tuple[SecretStr, ...] = ()
    """The short form: Apprise URLs that are told of everything."""
    targets: tuple[TargetSettings, ...] = ()
    repeat_after: Duration = timedelta(hours=24)
    """How long after its last message an alert that is still on is told again."""
    heartbeat_url: HeartbeatUrl | None = None
    """Called by each run that comes to its end: whoever waits for it knows that runs go on."""
    max_quarantined_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Of the documents of a source: when more are in quarantine, that is an error."""

    @property
    def everyone(self) -> tuple[TargetSettings, ...]:
        """All targets; those of the short form are called by the scheme of their URL."""
        short = tuple(
            TargetSettings(name=f"{_scheme(url)}-{number}", url=url)
            for number, url in enumerate(self.urls, 1)
        )
        return short + self.targets

    @property
    def routes(self) -> list[Route]:
        return [target.route for target in self.everyone]


def _scheme(url: SecretStr) -> str:
    scheme, found, _ = url.get_secret_value().partition("://")
    return scheme if found and scheme.isalnum() else "url"
