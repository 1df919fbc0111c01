"""What a run amounts to beside its balance: verdicts on chunks, and on the source as a whole."""

from collections.abc import Mapping, Sequence

from checks import corpus
from flows.errors import CheckFailed
from flows.runs.run import Run
from index.catalog import measures as measure_rows
from index.catalog.measures import Measure
from index.catalog.validations import Validation, save_validations
from index.plan import Listed


def keep_validations(run: Run, validations: Sequence[Validation]) -> None:
    """Write down what came of a batch's chunks, before any of them becomes searchable."""
    if validations:
        with run.index.catalog.writing() as connection:
            save_validations(connection, run.id, validations)


def check_listing(run: Run, listing: Sequence[Listed], *, may_shrink: bool) -> None:
    """Judge how much a scan has found, before anything is done about it.

    Args:
        run: Of which source.
        listing: Files, and what is gathered from several.
        may_shrink: However few they are, in comparison.

    Raises:
        CheckFailed: It is too little, or too much.
    """
    before = _before(run)
    n_before = before.get(corpus.LISTED, 0)
    measured = corpus.measure_listing(len(listing), n_before)
    # What lies in a folder that cannot be listed is not gone.
    if may_shrink or any(one.unreadable and one.uri.endswith("/") for one in listing):
        measured.pop(corpus.AGAINST_LAST, None)
    if error := _judge(run, measured, before, n_documents=n_before):
        remedy = ": if that is right, run again with --allow-removal"
        hint = remedy if corpus.AGAINST_LAST in error else ""
        raise CheckFailed(f"{error}; nothing was changed{hint}")


def check_corpus(run: Run) -> str:
    """Judge a source as a run has left it.

    Returns:
        In one line, why the run is failed; empty if it is not.
    """
    source, generation = run.source.name, run.index.generation.id
    with run.index.catalog.reading() as connection:
        counts = measure_rows.count_corpus(connection, source, generation)
    measured = corpus.measure(counts, run.source.checks.languages)
    return _judge(run, measured, _before(run), n_documents=counts.n_documents)


def _before(run: Run) -> dict[str, float]:
    with run.index.catalog.reading() as connection:
        return measure_rows.last_measures(connection, run.source.name)


def _judge(
    run: Run, measured: Mapping[str, float], before: Mapping[str, float], *, n_documents: float
) -> str:
    checks = run.source.checks
    thresholds = corpus.applicable(checks.thresholds, n_documents, checks.from_documents)
    judged: list[Measure] = corpus.judge(measured, before, thresholds)
    with run.index.catalog.writing() as connection:
        measure_rows.save_measures(connection, run.id, judged)
    stopping = corpus.stopping(judged)
    said = "; ".join(corpus.in_words(measure) for measure in stopping)
    return f"{run.source.name}: {said}" if said else ""
