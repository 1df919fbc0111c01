"""Generations: built beside the live one, resumable, kept true by runs, promoted in one step."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from index.building import build, estimate
from index.catalog import chunks as chunk_rows
from index.catalog import generations as generation_rows
from index.catalog import tables
from index.catalog.generations import Generation, GenerationState
from index.catalog.runs import start_run
from index.chunking import ChunkerSettings
from index.converging import recover
from index.reconciling import reconcile
from index.stores import Index
from index.targets import Target
from tests.fakes import all_valid
from tests.index.conftest import NOW
from tests.index.test_publishing import NEW, OLD, RUN, prepared, put

SMALL = Generation(
    "1" * 16, "fake", "r1", ChunkerSettings(target_tokens=40).key, "headwater-small",
    GenerationState.BUILDING,
)  # fmt: skip
LONG = "# Long\n\n" + " ".join(f"Sentence number {n} is here for its length." for n in range(40))


@pytest.fixture(autouse=True)
def documents(index: Index) -> None:
    with index.catalog.writing() as connection:
        start_run(connection, run_id=RUN, source="s", root="/s", flow_run_id=None, now=NOW)
        generation_rows.add_generation(connection, index.generation, NOW)
    for number in range(5):
        put(index, prepared(index, LONG + OLD, uri=f"{number}.md"))


@pytest.fixture
def target(index: Index) -> Target:
    with index.catalog.writing() as connection:
        generation_rows.add_generation(connection, SMALL, NOW)
    return Target(SMALL, index.embedder)


def both(index: Index, target: Target) -> Index:
    return replace(index, others=(target,))


def resumed(index: Index) -> Target:
    with index.catalog.reading() as connection:
        found = generation_rows.find_generation(connection, SMALL.id)
    assert found is not None
    return Target(found, index.embedder)


def only(index: Index, target: Target) -> Index:
    return replace(index, generation=target.generation)


def agrees(index: Index, target: Target) -> bool:
    return reconcile(both(index, target), target, NOW, n_probes=1000).agrees


def test_a_generation_is_built_from_stored_texts(index, target):
    built = build(only(index, target), target, all_valid)
    assert (built.documents, built.complete, built.unreadable) == (5, True, [])
    assert built.chunks > 5 * 10
    assert agrees(index, target)
    assert agrees(index, index.targets[0])
    assert resumed(index).generation.state is GenerationState.READY
    with index.catalog.reading() as connection:
        assert chunk_rows.count_left_out(connection, SMALL.id) == 0


def test_building_goes_on_where_it_was_left(index, target, monkeypatch):
    monkeypatch.setattr("index.building._DOCUMENTS", 2)
    first = build(only(index, target), target, all_valid, lambda built: False)
    assert (first.documents, first.complete) == (2, False)
    second = build(only(index, target), resumed(index), all_valid)
    assert (second.documents, second.complete) == (3, True)
    assert agrees(index, target)


@pytest.mark.parametrize("step", ["upsert", "missing"])
def test_a_kill_while_building_leaves_nothing_behind(index, target, monkeypatch, step):
    with monkeypatch.context() as faulty:
        real = getattr(index.vectors, step)

        def fail(*arguments: object) -> None:
            real(*arguments)
            raise KeyboardInterrupt

        faulty.setattr(index.vectors, step, fail)
        with pytest.raises(KeyboardInterrupt):
            build(only(index, target), target, all_valid)
    recover(both(index, target))
    assert index.vectors.contents(SMALL.collection) == {}
    build(only(index, target), resumed(index), all_valid)
    assert agrees(index, target)


def test_changes_reach_a_generation_that_is_being_built(index, target, monkeypatch):
    monkeypatch.setattr("index.building._DOCUMENTS", 2)
    build(only(index, target), target, all_valid, lambda built: False)
    changed = both(index, resumed(index))
    put(changed, *(prepared(changed, NEW, uri=f"{number}.md") for number in range(3)))
    put(changed, prepared(changed, OLD, uri="new.md"))
    assert build(only(index, target), resumed(index), all_valid).complete
    assert agrees(index, target)
    with index.catalog.reading() as connection:
        per_generation = {
            generation: chunk_rows.count_chunks(connection, generation=generation)
            for generation in (index.generation.id, SMALL.id)
        }
        assert chunk_rows.count_left_out(connection, SMALL.id) == 0
    assert per_generation[SMALL.id] > per_generation[index.generation.id] > 0


def test_a_generation_whose_embeddings_are_cached_embeds_nothing(index, target):
    same = replace(SMALL, chunker=index.generation.chunker)
    built = build(
        only(index, Target(same, index.embedder)), Target(same, index.embedder), all_valid
    )
    assert (built.chunks > 0, built.embedded) == (True, 0)


def test_an_estimate_is_near_what_it_comes_to(index, target):
    guess = estimate(index, target)
    built = build(only(index, target), target, all_valid)
    assert guess.documents == built.documents
    assert guess.chunks == pytest.approx(built.chunks, rel=0.1)
    # Equal texts are embedded once, and counted as often as they stand in the sample.
    assert guess.tokens_to_embed >= built.tokens_embedded > 0
    assert guess.seconds > 0


def test_a_lost_text_is_named_and_read_again_by_the_next_run(index, target, tmp_path):
    (file, *_) = (tmp_path / "texts").rglob("*.zst")
    file.unlink()
    built = build(only(index, target), target, all_valid)
    assert built.unreadable
    with index.catalog.reading() as connection:
        assert chunk_rows.count_left_out(connection, SMALL.id) == len(built.unreadable)
        keys = list(connection.scalars(sa.select(tables.document.c.parser_key)))
    assert keys.count("") == len(built.unreadable)


def test_a_document_that_would_break_the_contract_is_left_to_the_next_run(index, target):
    built = build(
        only(index, target),
        target,
        lambda candidates: [one.version.provenance.uri != "3.md" for one in candidates],
    )
    assert (built.invalid, built.unreadable) == (["3.md"], [])
    assert agrees(index, target)
    with index.catalog.reading() as connection:
        assert chunk_rows.count_left_out(connection, SMALL.id) == 1
        found = tables.document.c
        key = sa.select(found.parser_key).where(found.uri == "3.md")
        assert connection.scalar(key) == ""


def test_exactly_one_generation_is_live(index, target):
    build(only(index, target), target, all_valid)
    later = NOW + timedelta(hours=1)
    with index.catalog.writing() as connection:
        generation_rows.promote(connection, SMALL.id, later)
        states = {one.id: one.state for one in generation_rows.all_generations(connection)}
        assert states == {index.generation.id: GenerationState.KEPT, SMALL.id: GenerationState.LIVE}
        assert generation_rows.reigning_at(connection, NOW) == index.generation.id
        assert generation_rows.reigning_at(connection, later) == SMALL.id
        assert generation_rows.reigning_at(connection, NOW - timedelta(days=1)) is None
    with pytest.raises(sa.exc.IntegrityError), index.catalog.writing() as connection:
        connection.execute(sa.update(tables.generation).values(state="live"))


def test_a_generation_that_was_never_searched_leaves_no_past(index, target):
    build(only(index, target), target, all_valid)
    with index.catalog.writing() as connection:
        chunk_rows.retire_generation(connection, SMALL.id)
        assert chunk_rows.count_chunks(connection, generation=SMALL.id) == 0
        assert connection.execute(sa.select(tables.past_chunk)).all() == []
        chunk_rows.retire_generation(connection, index.generation.id)
        assert len(connection.execute(sa.select(tables.past_chunk)).all()) > 0


def test_what_a_chunker_key_says_is_what_the_chunker_does():
    settings = ChunkerSettings(target_tokens=99, max_prefix_tokens=7)
    assert ChunkerSettings.from_key(settings.key) == settings
    assert ChunkerSettings.from_key("unknown=3 target_tokens=50").target_tokens == 50
