"""What a run came to."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.markup import escape

from checks.corpus import in_words
from flows.console.terminal import STATE_STYLES, each, err, out, show_count
from index.catalog.measures import Measure

_VERDICT_STYLES: Final = {"passed": "green", "warning": "yellow", "failed": "bold red"}


def show_report(report: Mapping[str, Any]) -> None:
    """The balance of a run: losses as well as gains."""
    documents, chunks = report["documents"], report["chunks"]
    state = report["state"]
    took = report["seconds"]["total"]
    style = STATE_STYLES[state]
    out.print(
        f"[bold]{escape(report['source'])}[/]  "
        f"[{style}]{state.replace('_', ' ')}[/] in {took:.1f} s"
    )
    show_count(documents["found"], "documents found")
    for name, n in documents.items():
        if name != "found" and n:
            why = {"quarantined": report["reasons"], "skipped": report["rules"]}.get(name, {})
            show_count(n, f"  {name}{each(why)}")
    made = f"{chunks['embedded']:,} embedded, {chunks['reused']:,} from the cache"
    show_count(chunks["made"], f"chunks made: {made}, {chunks['rejected']:,} rejected")
    _show_checks(report["checks"])
    stored = f"{chunks['updated']:,} got new metadata, {chunks['deleted']:,} deleted"
    show_count(chunks["written"], f"vectors written; {stored}")
    balanced = "balanced" if report["balanced"] else "[bold red]does not balance[/]"
    out.print(f"{balanced}: run {report['run_id']}")
    if report["released"]:
        out.print(f"{report['released']:,} from quarantine were tried again")
    if report["took_over"]:
        out.print(f"finished what {len(report['took_over'])} interrupted run(s) had begun")
    _show_trouble(report)
    if documents["left"]:
        out.print("the next run reads what is left: max_documents_per_run")
    if documents["quarantined"]:
        out.print("what to do about those quarantined: headwater quarantine list")


def _show_trouble(report: Mapping[str, Any]) -> None:
    for note in report["notes"]:
        err.print(f"[yellow]{escape(note)}[/]")
    if report["error"]:
        err.print(f"[bold red]{escape(report['error'])}[/]")
    for uri in report["would_remove"]:
        err.print(f"  would be removed: {escape(uri)}")
    if (n_more := report["removal_withheld"] - len(report["would_remove"])) > 0:
        err.print(f"  and {n_more:,} more")


def _show_checks(checks: Mapping[str, Any]) -> None:
    """What a reader should know of a run's checks: nothing, if all is well."""
    if checks["resolved"]:
        show_count(sum(checks["resolved"].values()), f"fields filled{each(checks['resolved'])}")
    if checks["warned"] or checks["dropped"]:
        said = f"chunks with warnings; {checks['dropped']:,} left out: headwater checks show"
        show_count(checks["warned"], said)
    for measure in checks["run"]:
        if measure["verdict"] == "warning":
            out.print(f"[yellow]{escape(in_words(Measure(**measure)))}[/]")


def show_checks(checks: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> None:
    """The checks of one run: rules that were broken, where, and the numbers of the whole."""
    counts = f"{checks['chunks']:,} chunks of {checks['documents']:,} documents"
    out.print(f"{checks['suite']} {checks['suite_version']}: {counts}")
    told = f"{checks['invalid']:,} invalid, {checks['dropped']:,} left out of their documents"
    out.print(f"{told}, {checks['warned']:,} with warnings")
    if checks["resolved"]:
        out.print(f"fields filled{each(checks['resolved'])}")
    for document in documents:
        out.print(f"[cyan]{escape(document['uri'])}[/]")
        for broken in document["rules"]:
            style = STATE_STYLES[broken["severity"]]
            where = f"{broken['n']:,} of {document['chunks']:,} chunks"
            said = f"{escape(broken['field'])}: {broken['rule']}, {where}"
            out.print(f"  [{style}]{broken['severity']}[/]  {said}")
    for measure in checks["run"]:
        style = _VERDICT_STYLES[measure["verdict"]]
        said = escape(in_words(Measure(**measure)))
        out.print(f"[{style}]{measure['verdict']:<8}[/] {said}")


def show_reprocessed(report: Mapping[str, Any]) -> None:
    """What came of each entry that was tried again."""
    show_report(report)
    for entry in report["entries"]:
        where = escape(entry["uri"])
        if entry["state"] == "resolved":
            out.print(f"  [green]resolved[/]  {where}")
        else:
            why = escape(f"{entry['code']}: {entry['detail']}")
            out.print(f"  [red]{entry['state']}[/]  {where}  [dim]{why}[/]")
