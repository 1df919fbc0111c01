"""Settings of the dashboard: where it listens, and who is let in."""

import ipaddress
import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from flows.setting_values import Strict

DEFAULT_PORT: Final = 4280


def _variable(value: str) -> str:
    if not value.isidentifier():
        raise ValueError("the name of an environment variable that holds the token")
    return value


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", value):
        raise ValueError("the name of a header: letters, digits and '-'")
    return value


class DashboardSettings(Strict):
    """Where the dashboard listens, and who is let in."""

    host: str = "127.0.0.1"
    """The address to listen on. Any but this machine's own demands one of the next two."""
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    """0: any that is free."""
    token_env: Annotated[str, AfterValidator(_variable)] | None = None
    """The environment variable that holds the token by which people sign in."""
    user_header: Annotated[str, AfterValidator(_header)] | None = None
    """The header in which a reverse proxy names the user. Where the token is set as well, the
    proxy proves by it that it is the one.
    """

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def at(self, host: str | None, port: int | None) -> "DashboardSettings":
        """The same elsewhere.

        Raises:
            ValidationError: There is no such port.
        """
        given = {"host": host, "port": port}
        changed = {name: value for name, value in given.items() if value is not None}
        return DashboardSettings(**{**self.model_dump(), **changed})
