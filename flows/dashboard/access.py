"""Who is asking, and whether a request comes from our own pages.

All that the settings name is demanded: the token, by which people sign in and programs send as a
bearer; the header in which a reverse proxy names its user; or both, and the token then proves that
it is the proxy. With neither, whoever can reach this machine's own address is its user, and only
under one of its own names: a page elsewhere whose name was made to lead here is turned away.
"""

import hashlib
import hmac
import ipaddress
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

COOKIE: Final = "headwater"
SESSION_S: Final = 12 * 3600
_MAX_NAME: Final = 80
_OWN_SITE: Final = (None, "same-origin", "none")


@dataclass(frozen=True, slots=True)
class User:
    """Whoever asks."""

    name: str
    """For the records."""
    by_token: bool = False
    """A program that sent the token: no page elsewhere can make it do so."""


class Access:
    """The rules by which requests are let in."""

    def __init__(self, *, local_user: str, token: str | None, user_header: str | None) -> None:
        """Set the rules.

        Args:
            local_user: What to call whoever asks where nothing is demanded.
            token: That is demanded.
            user_header: That is demanded.
        """
        self._local_user = local_user
        self._token = token
        self._user_header = user_header
        seed = token or secrets.token_hex()
        self._key = hashlib.sha256(f"headwater dashboard {seed}".encode()).digest()

    @property
    def has_token(self) -> bool:
        return self._token is not None

    @property
    def demands_nothing(self) -> bool:
        return self._token is None and self._user_header is None

    def who(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> User | None:
        """Whoever asks; None for somebody who has not shown what is demanded.

        Args:
            headers: By name in small letters.
            cookies: By name.
        """
        if self.demands_nothing:
            return User(self._local_user) if is_own_name(headers.get("host", "")) else None
        signed_in = self._signed_in(headers, cookies)
        if self._token is not None and signed_in is None:
            return None
        if self._user_header is None:
            return signed_in
        named = clean_name(headers.get(self._user_header.lower(), ""))
        return User(named) if named else None

    def _signed_in(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> User | None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return User("token", by_token=True)
        named = self._named_in(cookies.get(COOKIE, ""))
        return None if named is None else User(named)

    def is_token(self, given: str) -> bool:
        """Whether it is the one that is demanded."""
        wanted = self._token
        return wanted is not None and hmac.compare_digest(given.encode(), wanted.encode())

    def session(self, name: str) -> str:
        """The value of the cookie of somebody who has signed in."""
        packed = urlsafe_b64encode(name.encode()).decode()
        held = f"{packed}.{int(time.time()) + SESSION_S}"
        return f"{held}.{self._sign('session', held)}"

    def _named_in(self, cookie: str) -> str | None:
        held, _, signature = cookie.rpartition(".")
        packed, _, until = held.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", held).encode()):
            return None
        return urlsafe_b64decode(packed).decode() if int(until) > time.time() else None

    def form_key(self, user: User) -> str:
        """What a form of ours holds, and no page elsewhere can know."""
        return self._sign("form", user.name)

    def is_our_form(self, user: User, given: str, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something comes from our own pages, or from a program."""
        if user.by_token:
            return True
        if headers.get("sec-fetch-site") not in _OWN_SITE:
            return False
        return hmac.compare_digest(given.encode(), self.form_key(user).encode())

    def _sign(self, purpose: str, value: str) -> str:
        return hmac.new(self._key, f"{purpose}:{value}".encode(), hashlib.sha256).hexdigest()


def clean_name(given: str) -> str:
    """A user's name on one line, of bounded length."""
    return "".join(sign for sign in given.strip() if sign.isprintable())[:_MAX_NAME].strip()


def is_own_name(host: str) -> bool:
    """Whether a `Host` header names this machine's own address."""
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or "]:" in host else host
    name = name.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def is_local_path(path: str) -> bool:
    """Whether a redirection to it stays on this site."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
