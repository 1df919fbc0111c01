"""Templates become pages here: nothing else writes HTML, and all that they show is escaped."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flows.dashboard import charts, words
from flows.dashboard.access import User
from flows.dashboard.entries import count_states
from flows.dashboard.state import dashboard_of
from flows.errors import UserError
from index.errors import StoreUnavailable
from parsers.registry import names

FOLDER: Final = Path(__file__).parent
STATIC: Final = FOLDER / "static"


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(words.FILTERS)
    templates.globals.update(
        plural=words.plural,
        sparkline=charts.sparkline,
        static_version=_version_of_static(),
    )
    return templates


@cache
def parser_names() -> list[str]:
    """Asked for once: they are known when all parsers are imported, which takes a second."""
    return names()


def _version_of_static() -> str:
    """Changes with the files, so that a browser may keep them."""
    files = sorted(STATIC.iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:10]


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    refresh_s: float = 0,
    **values: Any,
) -> HTMLResponse:
    """A page.

    Args:
        request: That it answers.
        template: Its name without the suffix.
        status: Of the answer.
        refresh_s: After how long what is on it may have changed; 0 where it stays.
        values: What the template shows.
    """
    user: User | None = request.scope["state"].get("user")
    access = dashboard_of(request).access
    html = (
        _templates()
        .get_template(f"{template}.html")
        .render(
            **values,
            user=user,
            can_sign_out=access.has_token,
            form_key=access.form_key(user) if user else "",
            path=request.url.path,
            n_open=_n_open(request) if user else 0,
            refresh_s=refresh_s,
        )
    )
    return HTMLResponse(html, status)


def _n_open(request: Request) -> int:
    """Entries that wait for somebody, for the navigation."""
    try:
        counts = count_states(dashboard_of(request).stores)
    except (UserError, StoreUnavailable):
        return 0
    return counts.get("open", 0) + counts.get("retrying", 0)
