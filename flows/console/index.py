"""What the index holds, and what a search finds in it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from flows.console.terminal import err, out, span
from index.reconciling import Reconciliation
from index.search import Result


def show_generations(rows: Iterable[Mapping[str, Any]]) -> None:
    """Generations with their model and state."""
    table = Table(box=None, pad_edge=False)
    for name in ("generation", "state", "model", "revision", "chunker"):
        table.add_column(name)
    table.add_column("chunks", justify="right")
    for row in rows:
        names = ("id", "state", "model", "revision", "chunker")
        table.add_row(*(escape(str(row[name])) for name in names), f"{row['chunks']:,}")
    out.print(table)


def show_estimate(estimate: Mapping[str, Any]) -> None:
    """What building a generation will cost, before it begins."""
    err.print(
        f"Building generation {estimate['generation']} ({escape(estimate['model'])}): "
        f"{estimate['documents']:,} documents, about {estimate['chunks']:,} chunks, "
        f"{estimate['tokens_to_embed']:,} of {estimate['tokens']:,} tokens to embed, "
        f"about {span(estimate['seconds'])}."
    )


def show_reconciliation(found: Reconciliation) -> None:
    """How a generation's vectors compare with the catalog."""
    if found.agrees:
        out.print(
            f"Generation {found.generation}: {found.n_chunks:,} chunks, the vector store agrees; "
            f"{found.n_probed:,} were searched for and found.",
            style="green",
        )
    if found.why_not_probed:
        out.print(f"  None was searched for, for {found.why_not_probed}", style="dim")
    if found.agrees:
        return
    differing = ", ".join(f"{n:,} {fault.replace('_', ' ')}" for fault, n in found.faults.items())
    out.print(f"Generation {found.generation}: {found.n_chunks:,} chunks; {differing}", style="red")
    for fault, chunk_ids in found.examples.items():
        out.print(f"  {fault.replace('_', ' ')}: {', '.join(chunk_ids[:3])}", style="dim")
    if found.n_repaired:
        out.print(f"  {found.n_repaired:,} chunks were mended.")
    elif not found.lost:
        out.print("  To mend it: headwater reconcile --repair")
    for uri in found.lost:
        out.print(f"  {escape(uri)}: its stored text is gone; ingest its source again")


def show_results(results: Sequence[Result]) -> None:
    if not results:
        out.print("nothing found")
    for result in results:
        placed, origin = result.placement, result.provenance
        pages = f", page {placed.page_first}" if placed.page_first else ""
        if placed.page_last != placed.page_first:
            pages = f", pages {placed.page_first} to {placed.page_last}"
        changed = (
            f", changed {origin.source_modified_at:%Y-%m-%d}" if origin.source_modified_at else ""
        )
        out.print(
            f"[bold]{result.rank}. {escape(origin.uri)}[/]{pages}  "
            f"[dim]{result.score:.3f}, {escape(origin.source)}{changed}[/]"
        )
        if result.stale_since:
            since = f"{result.stale_since:%Y-%m-%d %H:%M} UTC"
            out.print(f"   [yellow]stale: its source says something else since {since}[/]")
        if placed.heading_path:
            out.print(f"   [cyan]{escape(' > '.join(placed.heading_path))}[/]")
        words = " ".join(result.text.split())
        out.print(f"   {escape(words[:300])}{'…' if len(words) > 300 else ''}\n")
