"""The same as JSON, for programs, under `/api`; `/api/openapi.json` describes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flows.dashboard import documents, entries, overview, runs, upkeep
from flows.dashboard.actions import make_order, start_job
from flows.dashboard.documents import DocumentLine, DocumentText, WaitingLine
from flows.dashboard.entries import EntryDetail, EntryLine, ReasonGroups, chosen_ids, move_entries
from flows.dashboard.forms import require_own_page
from flows.dashboard.jobs import Job
from flows.dashboard.listing import PAGE_SIZE, Listing
from flows.dashboard.overview import AlertInShort, Overview, SourceOverview
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
from flows.dashboard.runs import OutcomeLine, RunDetail, RunLine
from flows.dashboard.searches import Found, find
from flows.dashboard.state import dashboard_of, user_of
from flows.dashboard.upkeep import GenerationLine
from index.catalog.browsing import DocumentFilter, EntryFilter, Paging
from index.catalog.quarantine import EntryState
from index.plan import Outcome

_Found = TypeVar("_Found")


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}


router = APIRouter(
    prefix="/api",
    responses=_problems(400, 401, 403, 422, 503),
    dependencies=[Security(HTTPBearer(auto_error=False, description="The token of the settings"))],
)

_MAX_IDS: Final = 10_000
_NOT_FOUND: Final = _problems(404)
_OwnPage = Depends(require_own_page)
_EntryId = Annotated[str, Field(max_length=12, pattern=r"^[0-9a-f]+$")]


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks, and what changes must be sent with in the header `X-Form-Key`."""

    user: str
    form_key: str


@dataclass(frozen=True, slots=True)
class DocumentDetail:
    """A document: what `headwater explain` says, and a part of its text."""

    explained: Mapping[str, Any]
    text: DocumentText | None
    """None if nothing of it is searchable."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How the index is kept."""

    generations: Sequence[GenerationLine]
    alerts: Sequence[AlertInShort]


class Chosen(BaseModel):
    """Entries of the quarantine."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    ids: Annotated[list[_EntryId], Field(max_length=_MAX_IDS)] = []
    groups: Annotated[list[_EntryId], Field(max_length=_MAX_IDS)] = []
    """All that are open of these groups."""


class Reprocess(Chosen):
    """How to try them again."""

    password: Annotated[SecretStr, Field(max_length=1_000)] | None = None
    parser: Annotated[str, Field(max_length=100)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600)] | None = None


class Move(Chosen):
    """What is said of them."""

    why: Annotated[
        str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")
    ]


@router.get("/session")
def get_session(request: Request) -> Session:
    user = user_of(request)
    return Session(user.name, dashboard_of(request).access.form_key(user))


@router.get("/overview")
def get_overview(request: Request) -> Overview:
    here = dashboard_of(request)
    return overview.overview(here.stores, here.statuses)


@router.get("/sources/{name}", responses=_NOT_FOUND)
def get_source(request: Request, name: SourceName) -> SourceOverview:
    here = dashboard_of(request)
    return _there(overview.source_overview(here.stores, here.statuses, name))


@router.get("/sources/{name}/waiting")
def get_waiting(request: Request, name: SourceName) -> list[WaitingLine]:
    """The oldest changes that are not searchable."""
    return documents.list_waiting(dashboard_of(request).stores, name, PAGE_SIZE)


@router.get("/runs")
def get_runs(request: Request, source: OfSource = "", page: PageNumber = 1) -> Listing[RunLine]:
    return runs.list_runs(dashboard_of(request).stores, source or None, Paging(PAGE_SIZE, page))


@router.get("/runs/{run_id}", responses=_NOT_FOUND)
def get_run(request: Request, run_id: Id) -> RunDetail:
    return _there(runs.find_run(dashboard_of(request).stores, run_id))


@router.get("/runs/{run_id}/outcomes")
def get_outcomes(
    request: Request, run_id: Id, outcome: Outcome | None = None, page: PageNumber = 1
) -> Listing[OutcomeLine]:
    """What a run did with documents, those that it left as they were aside."""
    stores = dashboard_of(request).stores
    return runs.list_outcomes(stores, run_id, outcome, Paging(PAGE_SIZE, page))


@router.get("/documents")
def get_documents(
    request: Request,
    source: OfSource = "",
    outcome: Outcome | None = None,
    words: Words = "",
    page: PageNumber = 1,
) -> Listing[DocumentLine]:
    wanted = DocumentFilter(source or None, outcome, words.strip())
    return documents.list_documents(dashboard_of(request).stores, wanted, Paging(PAGE_SIZE, page))


@router.get("/documents/{document_id}", responses=_NOT_FOUND)
def get_document(request: Request, document_id: Id, page: PageNumber = 1) -> DocumentDetail:
    stores = dashboard_of(request).stores
    found = _there(documents.find_document(stores, document_id))
    return DocumentDetail(found, documents.read_text(stores, document_id, found["chunks"], page))


@router.get("/chunks/{chunk_id}", responses=_NOT_FOUND)
def get_chunk(request: Request, chunk_id: Id) -> dict[str, Any]:
    """What `headwater explain` says."""
    return _there(documents.find_chunk(dashboard_of(request).stores, chunk_id))


@router.get("/quarantine/groups")
def get_groups(request: Request, source: OfSource = "") -> list[ReasonGroups]:
    return entries.list_groups(dashboard_of(request).stores, source or None)


@router.get("/quarantine/entries")
def get_entries(
    request: Request,
    source: OfSource = "",
    code: Code = "",
    group: Group = "",
    state: EntryState | None = None,
    page: PageNumber = 1,
) -> Listing[EntryLine]:
    """Entries; without a state, all that are not resolved."""
    wanted = EntryFilter(source or None, code or None, group or None, state)
    return entries.list_entries(dashboard_of(request).stores, wanted, Paging(PAGE_SIZE, page))


@router.get("/quarantine/entries/{entry_id}", responses=_NOT_FOUND)
def get_entry(request: Request, entry_id: Id) -> EntryDetail:
    return _there(entries.find_entry(dashboard_of(request).stores, entry_id))


@router.post(
    "/quarantine/reprocess",
    status_code=202,
    responses=_problems(404, 409),
    dependencies=[_OwnPage],
)
def post_reprocess(request: Request, asked: Reprocess) -> Job:
    """Begin to try documents again; one such job goes on at a time."""
    here = dashboard_of(request)
    order = make_order(
        here,
        _chosen(request, asked),
        user_of(request).name,
        password=asked.password,
        parser=asked.parser,
        timeout_s=asked.timeout_s,
    )
    return _there(here.jobs.find(start_job(here, order)))


@router.post("/quarantine/ignore", responses=_NOT_FOUND, dependencies=[_OwnPage])
def post_ignore(request: Request, asked: Move) -> list[str]:
    """Leave documents out until they change; the ids of those that are."""
    return _move(request, asked, EntryState.IGNORED)


@router.post("/quarantine/open", responses=_NOT_FOUND, dependencies=[_OwnPage])
def post_open(request: Request, asked: Move) -> list[str]:
    """Take back that documents are ignored; the ids of those that are not any more."""
    return _move(request, asked, EntryState.OPEN)


@router.get("/jobs")
def get_jobs(request: Request) -> list[Job]:
    """Since this dashboard was started, the newest first."""
    return dashboard_of(request).jobs.all()


@router.get("/jobs/{job_id}", responses=_NOT_FOUND)
def get_job(request: Request, job_id: Id) -> Job:
    return _there(dashboard_of(request).jobs.find(job_id))


@router.get("/search")
def get_search(
    request: Request,
    words: Annotated[str, Query(min_length=1, max_length=1_000, pattern=r"\S")],
    source: OfSource = "",
    k: MaxResults = 10,
) -> Found:
    return find(dashboard_of(request).stores, words.strip(), k, source or None)


@router.get("/index")
def get_index(request: Request) -> Upkeep:
    stores = dashboard_of(request).stores
    return Upkeep(upkeep.list_generations(stores), overview.alerts_in_short(stores))


def _there(found: _Found | None) -> _Found:
    if found is None:
        raise HTTPException(404, "there is no such thing")
    return found


def _chosen(request: Request, asked: Chosen) -> list[str]:
    ids = chosen_ids(dashboard_of(request).stores, asked.ids, asked.groups)
    if not ids:
        raise HTTPException(404, "there is no such entry")
    return ids


def _move(request: Request, asked: Move, to: EntryState) -> list[str]:
    ids = _chosen(request, asked)
    move_entries(dashboard_of(request).stores, ids, to, user_of(request).name, asked.why.strip())
    return ids
