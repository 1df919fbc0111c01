"""The pages that are only looked at."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from flows.dashboard import charts, documents, entries, overview, runs, upkeep
from flows.dashboard.listing import PAGE_SIZE
from flows.dashboard.parameters import (
    Code,
    Group,
    Id,
    MaxResults,
    OfSource,
    PageNumber,
    SourceName,
    Words,
)
from flows.dashboard.rendering import page, parser_names
from flows.dashboard.searches import find
from flows.dashboard.state import dashboard_of
from flows.dashboard.trends import lag_points, outcomes_of_runs, staleness_points
from index.catalog import browsing
from index.catalog.browsing import DocumentFilter, EntryFilter, Paging
from index.catalog.history import HOURLY_FOR
from index.catalog.quarantine import EntryState
from index.plan import Outcome

router = APIRouter(include_in_schema=False)

_LIVE_S: Final = 10
_RUNNING_S: Final = 3
_CHART_RUNS: Final = 90
_FEW: Final = 10
_UNRECORDED: Final = (Outcome.UNCHANGED, Outcome.LEFT)
"""Outcomes that are counted, and not noted of each document."""

Maybe = Annotated[str, Query(max_length=40)]
"""One of a closed set, or empty: forms send what was not chosen as an empty value."""


def _one_of(kind: Callable[[str], Any], value: str) -> Any:
    """What a form chose, or None.

    Raises:
        HTTPException: It is nothing that can be chosen.
    """
    try:
        return kind(value) if value else None
    except ValueError:
        raise HTTPException(404, f"there is no {value}") from None


@router.get("/")
def show_overview(request: Request) -> HTMLResponse:
    here = dashboard_of(request)
    return page(
        request,
        "overview",
        refresh_s=_LIVE_S,
        overview=overview.overview(here.stores, here.statuses),
        job=here.jobs.running(),
    )


@router.get("/sources/{name}")
def show_source(request: Request, name: SourceName) -> HTMLResponse:
    here = dashboard_of(request)
    source = overview.source_overview(here.stores, here.statuses, name)
    if source is None:
        raise HTTPException(404, "there is no such source")
    with here.stores.catalog().reading() as connection:
        rows = browsing.page_of_runs(connection, name, Paging(_CHART_RUNS))
        lags = lag_points(connection, name, _CHART_RUNS)
        stale = staleness_points(connection, name, datetime.now(UTC) - HOURLY_FOR)
    limits_s = (source.warn_after_s, source.error_after_s)
    return page(
        request,
        "source",
        refresh_s=_LIVE_S,
        source=source,
        lag_chart=charts.time_chart(lags, with_dots=True, limits_s=limits_s),
        staleness_chart=charts.time_chart(stale, with_dots=False, limits_s=limits_s),
        outcome_chart=charts.outcome_chart(outcomes_of_runs(rows)),
        runs=[runs.run_line(row) for row in rows[:_FEW]],
        waiting=documents.list_waiting(here.stores, name, _FEW),
    )


@router.get("/runs")
def show_runs(request: Request, source: OfSource = "", page_: PageNumber = 1) -> HTMLResponse:
    here = dashboard_of(request)
    found = runs.list_runs(here.stores, source or None, Paging(PAGE_SIZE, page_))
    return page(
        request,
        "runs",
        refresh_s=_LIVE_S,
        runs=found,
        wanted={"source": source},
        sources=_names(request),
    )


@router.get("/runs/{run_id}")
def show_run(
    request: Request, run_id: Id, outcome: Maybe = "", page_: PageNumber = 1
) -> HTMLResponse:
    here, wanted = dashboard_of(request), _one_of(Outcome, outcome)
    found = runs.find_run(here.stores, run_id)
    if found is None:
        raise HTTPException(404, "there is no such run")
    changes = runs.list_outcomes(here.stores, run_id, wanted, Paging(PAGE_SIZE, page_))
    return page(
        request,
        "run",
        refresh_s=_RUNNING_S if found.run.state == "running" else 0,
        found=found,
        changes=changes,
        wanted={"outcome": outcome},
        outcomes=[one.value for one in Outcome if one not in _UNRECORDED],
    )


@router.get("/documents")
def show_documents(
    request: Request,
    source: OfSource = "",
    outcome: Maybe = "",
    words: Words = "",
    page_: PageNumber = 1,
) -> HTMLResponse:
    stores = dashboard_of(request).stores
    wanted = DocumentFilter(source or None, _one_of(Outcome, outcome), words.strip())
    return page(
        request,
        "documents",
        documents=documents.list_documents(stores, wanted, Paging(PAGE_SIZE, page_)),
        wanted={"source": source, "outcome": outcome, "words": words},
        sources=_names(request),
        outcomes=[one.value for one in Outcome if one not in _UNRECORDED],
    )


@router.get("/documents/{document_id}")
def show_document(request: Request, document_id: Id, page_: PageNumber = 1) -> HTMLResponse:
    stores = dashboard_of(request).stores
    found = documents.find_document(stores, document_id)
    if found is None:
        raise HTTPException(404, "there is no such document")
    text = documents.read_text(stores, document_id, found["chunks"], page_)
    return page(request, "document", document=found, text=text)


@router.get("/chunks/{chunk_id}")
def show_chunk(request: Request, chunk_id: Id) -> HTMLResponse:
    found = documents.find_chunk(dashboard_of(request).stores, chunk_id)
    if found is None:
        raise HTTPException(404, "there is no such chunk")
    place = documents.page_of_chunk(found["ordinal"])
    return page(request, "chunk", chunk=found, page_in_document=place)


@router.get("/quarantine")
def show_quarantine(
    request: Request,
    source: OfSource = "",
    code: Code = "",
    group: Group = "",
    state: Maybe = "",
    page_: PageNumber = 1,
) -> HTMLResponse:
    here = dashboard_of(request)
    wanted = EntryFilter(source or None, code or None, group or None, _one_of(EntryState, state))
    return page(
        request,
        "quarantine",
        refresh_s=_LIVE_S,
        reasons=entries.list_groups(here.stores, source or None),
        entries=entries.list_entries(here.stores, wanted, Paging(PAGE_SIZE, page_)),
        counts=entries.count_states(here.stores),
        wanted={"source": source, "code": code, "group": group, "state": state},
        sources=_names(request),
        states=[one.value for one in EntryState],
        parsers=parser_names(),
        job=here.jobs.running(),
    )


@router.get("/quarantine/{entry_id}")
def show_entry(request: Request, entry_id: Id) -> HTMLResponse:
    here = dashboard_of(request)
    found = entries.find_entry(here.stores, entry_id)
    if found is None:
        raise HTTPException(404, "there is no such entry")
    return page(
        request,
        "entry",
        refresh_s=_LIVE_S,
        found=found,
        parsers=parser_names(),
        job=here.jobs.running(),
    )


@router.get("/jobs")
def show_jobs(request: Request) -> HTMLResponse:
    jobs = dashboard_of(request).jobs
    return page(request, "jobs", jobs=jobs.all(), refresh_s=_RUNNING_S if jobs.running() else 0)


@router.get("/jobs/{job_id}")
def show_job(request: Request, job_id: Id) -> HTMLResponse:
    job = dashboard_of(request).jobs.find(job_id)
    if job is None:
        raise HTTPException(404, "there is no such job: the dashboard may have been started anew")
    return page(request, "job", job=job, refresh_s=0 if job.is_over else _RUNNING_S)


@router.get("/search")
def show_search(
    request: Request, words: Words = "", source: OfSource = "", k: MaxResults = 10
) -> HTMLResponse:
    stores = dashboard_of(request).stores
    asked = words.strip()
    if not asked:
        stores.warm_up()
    return page(
        request,
        "search",
        found=find(stores, asked, k, source or None) if asked else None,
        wanted={"words": words, "source": source, "k": k},
        sources=_names(request),
    )


@router.get("/index")
def show_index(request: Request) -> HTMLResponse:
    stores = dashboard_of(request).stores
    return page(
        request,
        "upkeep",
        refresh_s=_LIVE_S,
        generations=upkeep.list_generations(stores),
        alerts=overview.alerts_in_short(stores),
    )


def _names(request: Request) -> list[str]:
    """Of all sources, for the lists that one chooses from."""
    return [one.source for one in dashboard_of(request).statuses.get()]
