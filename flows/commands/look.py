"""Commands that only read: status, search, explain, doctor."""

from typing import Annotated

import typer

from flows.commands.terms import (
    FAILED,
    AsJson,
    AsOf,
    Config,
    State,
    moment_of,
    print_json,
    settings_with_state,
    told_in_one_line,
)


def status(
    record: Annotated[
        bool, typer.Option("--record", help="Add what is found to the history, too.")
    ] = False,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """How fresh each source is, what is indexed, and what is in quarantine.

    Exit status: 0, or 1 if a source is staler than its objective allows (`error_after`).

    [bold]Examples[/]

        headwater status
        headwater status --json || page-somebody
        headwater status --record
    """
    with told_in_one_line():
        from flows.console.sources import show_statuses
        from flows.freshness.status import all_statuses, record_statuses
        from flows.wiring import open_catalog

        settings = settings_with_state(config, state)
        with open_catalog(settings) as catalog:
            if record:
                record_statuses(settings, catalog)
            statuses = all_statuses(settings, catalog)
        if as_json:
            for one in statuses:
                print_json(one.as_json())
        else:
            show_statuses(statuses)
        if any(one.state == "error" for one in statuses):
            raise typer.Exit(FAILED)


def search(
    words: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many chunks at most.")] = 5,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    as_of: AsOf = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Chunks ranked by how near they are in meaning, with document, page and date.

    [bold]Examples[/]

        headwater search "how do I book travel"
        headwater search "notice period" -k 3 --source contracts --json
        headwater search "notice period" --as-of 2026-10-31T12:00
    """
    with told_in_one_line():
        from flows.console.index import show_results
        from flows.searching import find_as_of, find_now

        settings, moment = settings_with_state(config, state), moment_of(as_of)
        if moment is None:
            results = find_now(settings, words, k, source)
        else:
            results = find_as_of(settings, words, k, source, moment)
        if as_json:
            for result in results:
                print_json(result.as_json())
        else:
            show_results(results)


def explain(
    named: Annotated[str, typer.Argument(metavar="CHUNK_ID or URI")],
    as_of: AsOf = None,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """From a chunk or a document back to the bytes: version, span, page, parser, model, run.

    [bold]Examples[/]

        headwater explain 0f2c6a0b7c3e4d5f8a9b0c1d2e3f4a5b
        headwater explain pages/leave.md --json
        headwater explain pages/leave.md --as-of 2026-10-31
    """
    with told_in_one_line():
        from flows.console.terminal import show_fields
        from flows.errors import UsageError
        from flows.explain import explain_chunk, explain_uri
        from flows.wiring import open_catalog, text_store

        settings, moment = settings_with_state(config, state), moment_of(as_of)
        with open_catalog(settings) as catalog:
            chunk = explain_chunk(catalog, text_store(settings), named, moment)
            found = [chunk] if chunk else explain_uri(catalog, named, moment)
        if not found:
            raise UsageError(f"no chunk and no document is called {named}")
        for one in found:
            print_json(one) if as_json else show_fields(one)


def doctor(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """What is installed, reachable and writable, and what is not.

    Exit status: 0, or 1 if something is not as it should be.

    [bold]Examples[/]

        headwater doctor
    """
    with told_in_one_line():
        from flows.console.sources import show_findings
        from flows.doctor import examine
        from flows.settings import load_settings

        findings = []
        for finding in examine(load_settings(config, state)):
            findings.append(finding)
            if as_json:
                print_json({"check": finding.check, "ok": finding.ok, "detail": finding.detail})
            else:
                show_findings([finding])
        if not all(finding.ok for finding in findings):
            raise typer.Exit(FAILED)
