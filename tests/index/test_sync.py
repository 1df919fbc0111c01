"""Any history of changes, failures and kills ends as a fresh ingest of what is there at the end."""

import hashlib
import itertools
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from index.building import build
from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog import generations as generation_rows
from index.catalog import runs
from index.catalog.database import Catalog
from index.catalog.documents import Seen
from index.catalog.generations import Generation, GenerationState
from index.chroma.client import ChromaFolder
from index.chunking import ChunkerSettings
from index.converging import recover
from index.embedding import DEFAULT_MODEL, find_model
from index.errors import StoreUnavailable
from index.identity import document_id
from index.plan import Expectation, Listed, Outcome, make_plan
from index.publishing import Prepared, embed, publish, retire
from index.records import Provenance
from index.stores import Index
from index.targets import Target, identify
from index.texts import TextFolder, TextStore
from index.vectors import Record, Stored, VectorStore
from parsers.contract import ParseOptions, ParseTask
from parsers.media_type import MARKDOWN
from parsers.web import markdown
from tests.fakes import DIMENSION, FakeEmbedder, VectorsInMemory, all_valid
from tests.index.conftest import NOW
from tests.memory import recall
from tests.servers import Postgres

SECTIONS = ("Kettle on.", "Lights out.", "Doors shut.", "Kettle on.", "Printer: " + "toner. " * 60)
"""One of them twice: two chunks of one text are told apart by their number."""
URIS = ("a.md", "b.md", "c/d.md", "e.md")
FAULTY = ("upsert", "missing", "refresh", "delete", "writing", "put")
EXPECTED = Expectation(parser_key=lambda media_type: "p", failure_key=lambda media_type, code: "f")


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


class World:
    """An index of one source, and what a run does to it, Prefect and parsers aside."""

    def __init__(self, folder: Path, catalog: Catalog, vectors: Any) -> None:
        self.texts = TextStore(TextFolder(folder / "texts"))
        self.catalog = catalog
        self.vectors = vectors
        self.embedder = _EMBEDDER
        self.n_runs = 0
        with self.catalog.writing() as connection:
            generation_rows.add_generation(connection, _generation(160), NOW)

    @property
    def index(self) -> Index:
        with self.catalog.reading() as connection:
            known = generation_rows.all_generations(connection)
        targets = [Target(one, self.embedder) for one in known]
        (live,) = (one for one in targets if one.generation.state is GenerationState.LIVE)
        others = tuple(one for one in targets if one is not live)
        return Index(self.catalog, self.texts, self.vectors, self.embedder, live.generation, others)

    def ingest(self, source: dict[str, str]) -> None:
        index, self.n_runs = self.index, self.n_runs + 1
        run, now = f"{self.n_runs:032}", NOW + timedelta(minutes=self.n_runs)
        with self.catalog.writing() as connection:
            runs.start_run(connection, run_id=run, source="s", root="/", flow_run_id=None, now=now)
        recover(index)
        with self.catalog.reading() as connection:
            known = document_rows.known_documents(connection, "s")
        listing = [_listed(uri, text) for uri, text in sorted(source.items())]
        plan = make_plan(listing, known, EXPECTED)
        for batch in (plan.read[:2], plan.read[2:]):
            _twice(partial(self._index_batch, index, batch, source, run, now))
        _twice(partial(retire, index, plan.removed, Outcome.REMOVED, run, now, source="s"))
        _twice(partial(recover, index))

    def _index_batch(
        self, index: Index, batch: Any, source: dict[str, str], run: str, now: datetime
    ) -> None:
        documents = [_prepared(index, one, source[one.uri], run, now) for one in batch]
        vectors, _ = embed(index, documents)
        publish(index, documents, vectors, now)

    def build(self, chunk_tokens: int) -> None:
        wanted = _generation(chunk_tokens, GenerationState.BUILDING)
        with self.catalog.writing() as connection:
            known = {one.id for one in generation_rows.all_generations(connection)}
            if wanted.id not in known:
                self.vectors.drop(wanted.collection)
                generation_rows.add_generation(connection, wanted, NOW)
        (target,) = (one for one in self.index.targets if one.generation.id == wanted.id)
        build(self.index, target, all_valid)

    def promote(self, chunk_tokens: int) -> None:
        now = NOW + timedelta(days=self.n_runs)
        self.n_runs += 1
        with self.catalog.writing() as connection:
            generation_rows.promote(connection, _generation(chunk_tokens).id, now)

    def drop(self, chunk_tokens: int) -> None:
        dropped = _generation(chunk_tokens)
        with self.catalog.writing() as connection:
            chunk_rows.retire_generation(connection, dropped.id)
            generation_rows.mark_dropped(connection, dropped.id)
        self.vectors.drop(dropped.collection)

    def states(self) -> dict[str, GenerationState]:
        with self.catalog.reading() as connection:
            return {one.id: one.state for one in generation_rows.all_generations(connection)}


_MODEL = find_model(DEFAULT_MODEL)
_EMBEDDER = FakeEmbedder(_MODEL)


def _generation(chunk_tokens: int, state: GenerationState = GenerationState.LIVE) -> Generation:
    key = ChunkerSettings(target_tokens=chunk_tokens).key
    return Generation(f"{chunk_tokens:016}", "fake", "r1", key, f"headwater-{chunk_tokens}", state)


def _twice(step: Callable[[], object]) -> None:
    """As a run does it: a store that was away for a moment is asked again."""
    try:
        step()
    except StoreUnavailable:
        step()


def _listed(uri: str, text: str) -> Listed:
    return Listed(uri, uri, len(text), NOW, text)


def _prepared(index: Index, listed: Listed, text: str, run: str, now: Any) -> Prepared:
    parsed = markdown.parse(ParseTask(text.encode(), MARKDOWN, ParseOptions()))
    document, sha256 = document_id("s", listed.uri), hashlib.sha256(text.encode()).hexdigest()
    seen = Seen(document, "s", listed.uri, listed.stat_token, True, 1, NOW, sha256, MARKDOWN, "p")
    index.texts.put(sha256, parsed)
    return Prepared(
        seen,
        Provenance(
            document, "s", listed.uri, sha256, MARKDOWN, "md", "1", parsed.title, "en",
            run, NOW, now,
        ),
        sha256,
        Outcome.INDEXED,
        (),
        tuple(one for target in index.targets for one in identify(target, document, parsed)),
    )  # fmt: skip


TEXTS = st.builds(
    lambda title, parts: f"---\ntitle: {title}\n---\n" + "\n\n".join(f"# S\n\n{p}" for p in parts),
    st.sampled_from(["One", "Two"]),
    st.lists(st.sampled_from(SECTIONS), min_size=1, max_size=4),
)


class Sync(RuleBasedStateMachine):
    """What people do to documents, what operators do to generations, and what goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self.source: dict[str, str] = {}
        self.world = self.open_world("first")

    def open_world(self, name: str) -> World:
        folder = self._folder / name
        folder.mkdir()
        catalog = self._open.enter_context(closing(Catalog(self.database(folder))))
        return World(folder, catalog, self.open_vectors(folder))

    def database(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'catalog.db'}"

    def open_vectors(self, folder: Path) -> Any:
        return VectorsInMemory()

    def teardown(self) -> None:
        try:
            self._check()
        finally:
            self._open.close()

    @initialize(texts=st.lists(TEXTS, min_size=2, max_size=2))
    def begin(self, texts: list[str]) -> None:
        self.source = dict(zip(URIS, texts, strict=False))
        self.world.ingest(self.source)

    @rule(uri=st.sampled_from(URIS), text=TEXTS)
    def write(self, uri: str, text: str) -> None:
        self.source[uri] = text

    @precondition(lambda self: self.source)
    @rule(choice=st.data())
    def remove(self, choice: st.DataObject) -> None:
        del self.source[choice.draw(st.sampled_from(sorted(self.source)))]

    @precondition(lambda self: self.source)
    @rule(choice=st.data(), to=st.sampled_from(URIS))
    def move(self, choice: st.DataObject, to: str) -> None:
        self.source[to] = self.source.pop(choice.draw(st.sampled_from(sorted(self.source))))

    @rule()
    def run(self) -> None:
        self.world.ingest(self.source)

    @rule(
        step=st.sampled_from(FAULTY),
        n=st.integers(0, 6),
        after=st.booleans(),
        error=st.sampled_from([Killed, StoreUnavailable]),
    )
    def run_and_meet_a_fault(
        self, step: str, n: int, after: bool, error: type[BaseException]
    ) -> None:
        with _faulty(self.world, step, n, after=after, error=error):
            self.world.ingest(self.source)

    @rule(step=st.sampled_from(FAULTY[:-1]), n=st.integers(0, 4), after=st.booleans())
    def build_and_be_killed(self, step: str, n: int, after: bool) -> None:
        if self.world.states().get(_generation(64).id) in (None, GenerationState.BUILDING):
            with _faulty(self.world, step, n, after=after):
                self.world.build(64)

    @rule()
    def promote(self) -> None:
        for chunk_tokens in (160, 64):
            state = self.world.states().get(_generation(chunk_tokens).id)
            if state in (GenerationState.READY, GenerationState.KEPT):
                self.world.promote(chunk_tokens)
                return

    @rule(at_collection=st.booleans())
    def drop(self, at_collection: bool) -> None:
        state = self.world.states().get(_generation(64).id)
        if state not in (None, GenerationState.LIVE):
            with _faulty(self.world, "drop" if at_collection else "upsert", 0, after=False):
                self.world.drop(64)

    @invariant()
    def what_is_searchable_is_there_and_is_what_the_catalog_says(self) -> None:
        """Also before anything was recovered; only intents may be pending."""
        index = self.world.index
        collection = index.generation.collection
        with index.catalog.reading() as connection:
            held = chunk_rows.page_of_chunks(
                connection, index.generation.id, chunk_rows.FIRST, 1_000
            )
        ids = [one.placement.chunk_id for one in held]
        assert index.vectors.missing(collection, ids) == set()
        assert len(ids) == len(set(ids))

    def _check(self) -> None:
        if self.world.n_runs == 0:
            return
        for chunk_tokens in (64, 160):
            wanted = _generation(chunk_tokens).id
            if self.world.states().get(wanted) is GenerationState.BUILDING:
                self.world.build(chunk_tokens)
        self.world.ingest(self.source)
        fresh = self.open_world("fresh")
        fresh.ingest(self.source)
        if _generation(64).id in self.world.states():
            fresh.build(64)
        assert recall(self.world.index) == recall(fresh.index)


class SyncWithChroma(Sync):
    """The same, on the real vector store."""

    def open_vectors(self, folder: Path) -> Any:
        return self._open.enter_context(closing(VectorStore(ChromaFolder(folder / "chroma"))))


class SyncWithPostgres(Sync):
    """The same, on the other database."""

    cluster: ClassVar[Postgres]

    def database(self, folder: Path) -> str:
        name = uuid.uuid4().hex
        url = self.cluster.make_database(name, template="migrated")
        self._open.callback(self.cluster.drop_database, name)
        return url


TestSync = Sync.TestCase
TestSync.settings = settings(max_examples=25, stateful_step_count=14, deadline=None)
TestSyncWithChroma = SyncWithChroma.TestCase
TestSyncWithChroma.settings = settings(max_examples=3, stateful_step_count=12, deadline=None)


@pytest.mark.proof
class TestSyncWithPostgres(SyncWithPostgres.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=6, stateful_step_count=14, deadline=None)

    @pytest.fixture(autouse=True)
    def started(self, postgres: Postgres) -> None:
        SyncWithPostgres.cluster = postgres


@contextmanager
def _faulty(
    world: World, step: str, n: int, *, after: bool, error: type[BaseException] = Killed
) -> Iterator[None]:
    """Have the n-th call of a step, 0-based, fail: before its effect, or after it."""
    calls = itertools.count()
    owner = {"writing": world.catalog, "put": world.texts}.get(step, world.vectors)
    real = getattr(owner, step)

    def faulty(*arguments: Any) -> Any:
        is_last = next(calls) == n
        if is_last and not after:
            raise error("injected")
        answer = real(*arguments)
        if is_last:
            raise error("injected")
        return answer

    @contextmanager
    def faulty_commit() -> Iterator[Any]:
        is_last = next(calls) == n
        if is_last and not after:
            raise error("injected")
        with real() as connection:
            yield connection
        if is_last:
            raise error("injected")

    with patch.object(owner, step, faulty_commit if step == "writing" else faulty):
        with suppress(Killed, StoreUnavailable):
            yield


METADATA = st.dictionaries(st.sampled_from(["uri", "page", "owner"]), st.integers(1, 3), min_size=1)
IDS = st.sampled_from("abcd")


@settings(max_examples=5)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("upsert"), IDS, METADATA),
            st.tuples(st.just("refresh"), IDS, METADATA),
            st.tuples(st.just("delete"), IDS, st.none()),
            st.tuples(st.just("drop"), st.none(), st.none()),
        ),
        max_size=12,
    )
)
def test_the_store_in_memory_does_what_the_real_one_does(works):
    with tempfile.TemporaryDirectory() as folder:
        with closing(VectorStore(ChromaFolder(Path(folder) / "chroma"))) as real:
            fake = VectorsInMemory()
            for n, (work, chunk_id, metadata) in enumerate(works):
                for store in (real, fake):
                    _work(store, work, chunk_id, metadata, n)
                assert _seen(real) == _seen(fake)


def _work(store: Any, work: str, chunk_id: str, metadata: Any, n: int) -> None:
    if work == "upsert":
        store.upsert("coll", [Record(chunk_id, np.eye(DIMENSION, dtype="f4")[n], str(n), metadata)])
    elif work == "refresh":
        store.refresh("coll", {chunk_id: Stored(str(n), metadata)})
    elif work == "delete":
        store.delete("coll", [chunk_id])
    else:
        store.drop("coll")


def _seen(store: Any) -> Any:
    vectors = store.load_vectors("coll", list("abcd"))
    return (
        store.load("coll", list("abcd")),
        store.contents("coll"),
        store.missing("coll", list("abcd")),
        {k: vector.tolist() for k, vector in vectors.items()},
        {k: store.search("coll", vector, 1) for k, vector in vectors.items()},
        sorted(store.page("coll", 0)),
    )


@given(TEXTS)
def test_a_chunk_has_an_id_of_its_own_that_no_change_elsewhere_changes(text):
    ids = _ids(text)
    assert len(ids) == len(set(ids))
    assert set(ids) <= set(_ids(text + "\n\n# S\n\nQuite new words.\n"))
    assert not set(ids) & set(_ids(text, uri="b.md"))
    assert not set(ids) & set(_ids(text, chunk_tokens=64))


def _ids(text: str, *, uri: str = "a.md", chunk_tokens: int = 160) -> list[str]:
    target = Target(_generation(chunk_tokens), _EMBEDDER)
    parsed = markdown.parse(ParseTask(text.encode(), MARKDOWN, ParseOptions()))
    return [one.placement.chunk_id for one in identify(target, document_id("s", uri), parsed)]
