"""What the pages let people do: sign in and out, reprocess, ignore, open again."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import SecretStr, ValidationError

from flows.dashboard.access import COOKIE, SESSION_S, clean_name, is_local_path
from flows.dashboard.entries import chosen_ids, move_entries
from flows.dashboard.forms import Form, OwnForm, first, read_form
from flows.dashboard.jobs import JobRunning
from flows.dashboard.order import Order
from flows.dashboard.rendering import page
from flows.dashboard.state import Dashboard, dashboard_of, user_of
from index.catalog.quarantine import EntryState
from parsers.registry import type_read_by

router = APIRouter(include_in_schema=False)

_MAX_WHY: Final = 500


@router.get("/signin")
def show_sign_in(request: Request, next: str = "/") -> Response:
    return page(request, "signin", next=next, wrong=False)


@router.post("/signin")
def sign_in(request: Request, form: Annotated[Form, Depends(read_form)]) -> Response:
    """Give whoever knows the token a session under the name that they say."""
    access = dashboard_of(request).access
    wanted = first(form, "next") or "/"
    name = clean_name(first(form, "name"))
    if not name or not access.is_token(first(form, "token").strip()):
        return page(request, "signin", status=401, next=wanted, wrong=True)
    answer = _see(wanted if is_local_path(wanted) else "/")
    answer.set_cookie(
        COOKIE,
        access.session(name),
        max_age=SESSION_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/signout")
def sign_out(form: OwnForm) -> Response:
    answer = _see("/signin")
    answer.delete_cookie(COOKIE)
    return answer


@router.post("/quarantine")
def act_on_entries(request: Request, form: OwnForm) -> Response:
    """Do with the chosen entries what the button says that was pressed."""
    here, who = dashboard_of(request), user_of(request).name
    ids = chosen_ids(here.stores, form.get("id", ()), form.get("group", ()))
    if not ids:
        raise HTTPException(400, "nothing was chosen: go back, and choose what it is about")
    if first(form, "do") == "reprocess":
        return _see(f"/jobs/{start_job(here, order_of(form, ids, here, who))}")
    return _see(_moved(here, ids, who, form))


def _moved(here: Dashboard, ids: Sequence[str], who: str, form: Form) -> str:
    """Give entries the state that a form says; the page to show then."""
    states = {"ignore": EntryState.IGNORED, "open": EntryState.OPEN}
    to, why = states.get(first(form, "do")), first(form, "why").strip()[:_MAX_WHY]
    if to is None:
        raise HTTPException(400, "there is no such button")
    if not why:
        raise HTTPException(400, "say why, for whoever asks later: go back, and fill that in")
    move_entries(here.stores, ids, to, who, why)
    return f"/quarantine/{ids[0]}" if len(ids) == 1 else f"/quarantine?state={to}"


def order_of(form: Form, ids: Sequence[str], here: Dashboard, who: str) -> Order:
    """What a form asks for.

    Raises:
        HTTPException: Something in it is wrong.
    """
    password, timeout_s = first(form, "password"), first(form, "timeout_s").strip()
    try:
        return make_order(
            here,
            ids,
            who,
            password=SecretStr(password) if password else None,
            parser=first(form, "parser").strip() or None,
            timeout_s=float(timeout_s) if timeout_s else None,
        )
    except ValueError:
        raise HTTPException(400, "the time limit is a number of seconds, at most 3600") from None


def make_order(
    here: Dashboard,
    ids: Sequence[str],
    who: str,
    *,
    password: SecretStr | None,
    parser: str | None,
    timeout_s: float | None,
) -> Order:
    """An order for the settings of this dashboard.

    Raises:
        ValueError: The time limit is none.
        HTTPException: There is no such parser.
    """
    if parser is not None and type_read_by(parser) is None:
        raise HTTPException(400, "there is no such parser")
    try:
        return Order(
            ids=tuple(ids),
            password=password,
            parser=parser,
            timeout_s=timeout_s,
            who=who,
            config=str(here.config) if here.config else None,
            state_dir=str(here.stores.settings.state_dir),
        )
    except ValidationError:
        raise ValueError("the time limit is wrong") from None


def start_job(here: Dashboard, order: Order) -> str:
    """The id of the job that has begun.

    Raises:
        HTTPException: Another one has not ended.
    """
    try:
        return here.jobs.start(order).id
    except JobRunning as busy:
        raise HTTPException(409, str(busy)) from None


def _see(where: str) -> Response:
    return RedirectResponse(where, 303)
