"""The web application, put together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from flows.dashboard import actions, api, pages
from flows.dashboard.access import Access
from flows.dashboard.gate import Gate
from flows.dashboard.jobs import Jobs
from flows.dashboard.overview import Statuses
from flows.dashboard.rendering import STATIC, page
from flows.dashboard.state import Dashboard, dashboard_of
from flows.dashboard.stores import Stores
from flows.errors import UserError
from flows.freshness.metrics import CONTENT_TYPE, render_metrics
from flows.settings import Settings
from index.embedding import ModelUnusable
from index.errors import StoreUnavailable

_KEEP_STATIC: Final = "public, max-age=31536000, immutable"
"""Their address changes with them."""


def make_app(
    settings: Settings, access: Access, config: Path | None = None, jobs: Jobs | None = None
) -> FastAPI:
    """The dashboard of one state directory.

    Args:
        settings: That say where it is.
        access: Who is let in.
        config: The settings file that reprocessing is to read; the one in the working directory
            if None.
        jobs: That reprocess.
    """
    stores = Stores(settings)
    app = FastAPI(
        title="Headwater",
        summary="How true an index is to its documents.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.dashboard = Dashboard(stores, Statuses(stores), jobs or Jobs(), access, config)
    app.include_router(pages.router)
    app.include_router(actions.router)
    app.include_router(api.router)
    app.add_api_route("/healthz", _health, include_in_schema=False)
    app.add_api_route("/readyz", _readiness, include_in_schema=False)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC), name="static")
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    app.add_middleware(Gate, access=access)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    here: Dashboard = app.state.dashboard
    here.jobs.close()
    here.stores.close()


class _Static(StaticFiles):
    """Files that browsers may keep."""

    def file_response(self, *arguments: object, **options: object) -> Response:
        answer = super().file_response(*arguments, **options)  # type: ignore[arg-type]
        answer.headers["cache-control"] = _KEEP_STATIC
        return answer


def _health() -> PlainTextResponse:
    """Whether this process answers."""
    return PlainTextResponse("ok\n")


def _readiness(request: Request) -> PlainTextResponse:
    """Whether it can show anything."""
    with dashboard_of(request).stores.catalog().reading():
        return PlainTextResponse("ready\n")


def _metrics(request: Request) -> Response:
    """What Prometheus asks for."""
    stores = dashboard_of(request).stores
    text = render_metrics(stores.settings, stores.catalog())
    return Response(text, media_type=CONTENT_TYPE)


def _problem(request: Request, status: int, title: str, detail: str) -> Response:
    """Why there is no answer: a page for people, JSON for programs."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": detail}, status)
    if request.url.path in ("/readyz", "/metrics"):
        return PlainTextResponse(f"{detail}\n", status)
    return page(request, "error", status=status, title=title, detail=detail)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    answer = _problem(request, error.status_code, title, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _wrong(request: Request, error: Exception) -> Response:
    """Names what is wrong, and does not repeat it: it may be a password."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return _problem(request, 422, "This address is wrong", f"{where}: {first['msg']}")


async def _unavailable(request: Request, error: Exception) -> Response:
    detail = str(error)
    if isinstance(error, StoreUnavailable):
        detail = f"{error.detail}. {error.remedy}"
    return _problem(request, 503, "There is nothing to show", detail)


_HANDLERS: Final[dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = {
    HTTPException: _refused,
    RequestValidationError: _wrong,
    UserError: _unavailable,
    ModelUnusable: _unavailable,
    StoreUnavailable: _unavailable,
}
