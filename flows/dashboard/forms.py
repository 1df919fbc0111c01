"""What the forms of the pages send, read with a bound and only from pages of our own."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Depends, HTTPException, Request

from flows.dashboard.state import dashboard_of, user_of

_MAX_BYTES: Final = 1024 * 1024
_MAX_FIELDS: Final = 20_000

Form = Mapping[str, Sequence[str]]


async def read_form(request: Request) -> Form:
    """The fields of a form.

    Raises:
        HTTPException: It is none, or too long.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "this is no form")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BYTES:
            raise HTTPException(413, "this is too much")
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(400, "this is no form") from None


async def own_form(request: Request) -> Form:
    """The fields of a form of one of our own pages.

    Raises:
        HTTPException: It is not, or not for certain.
    """
    form, access = await read_form(request), dashboard_of(request).access
    if not access.is_our_form(user_of(request), first(form, "form_key"), request.headers):
        raise HTTPException(403, "this form is too old: load the page again, and send it again")
    return form


def require_own_page(request: Request) -> None:
    """Refuse what neither a program with the token nor one of our own pages sends.

    Raises:
        HTTPException: It is refused.
    """
    given = request.headers.get("x-form-key", "")
    if not dashboard_of(request).access.is_our_form(user_of(request), given, request.headers):
        raise HTTPException(403, "send the token, or the X-Form-Key that /api/session gives")


def first(form: Form, name: str) -> str:
    """The value of a field; empty without one."""
    return next(iter(form.get(name, ())), "")


OwnForm = Annotated[Form, Depends(own_form)]
