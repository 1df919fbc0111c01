"""What turns a parsed document into chunks under the ids that they have in the index."""

from dataclasses import dataclass

from index.catalog.generations import Generation
from index.chunking import Chunk, ChunkerSettings, chunk_document
from index.embedding import Embedder
from index.identity import chunk_ids, embedding_key
from index.records import Placement
from parsers.document import ParsedDocument


@dataclass(frozen=True, slots=True)
class Target:
    """A generation that is kept up to date, with the model that its vectors are made by."""

    generation: Generation
    embedder: Embedder

    @property
    def chunker(self) -> ChunkerSettings:
        return ChunkerSettings.from_key(self.generation.chunker)


@dataclass(frozen=True, slots=True)
class IdentifiedChunk:
    """A chunk under the id that it has in the index."""

    chunk: Chunk
    placement: Placement


def identify(
    target: Target,
    document_id: str,
    parsed: ParsedDocument,
    *,
    unusable_pages: frozenset[int] = frozenset(),
) -> tuple[IdentifiedChunk, ...]:
    """The chunks of a document in a generation, in the order of its text.

    Args:
        target: The generation.
        document_id: Whose.
        parsed: Its text.
        unusable_pages: 1-based numbers of pages to leave out.
    """
    chunks = chunk_document(
        parsed, target.embedder.counter, target.chunker, unusable_pages=unusable_pages
    )
    generation, model = target.generation.id, target.embedder.files
    ids = chunk_ids(document_id, generation, [chunk.text for chunk in chunks])
    return tuple(
        IdentifiedChunk(
            chunk,
            Placement(
                chunk_id=chunk_id,
                generation=generation,
                ordinal=chunk.ordinal,
                char_start=chunk.start,
                char_end=chunk.end,
                heading_path=chunk.heading_path,
                page_first=chunk.page_first,
                page_last=chunk.page_last,
                n_tokens=chunk.n_tokens,
                embedding_key=embedding_key(model.name, model.revision, chunk.embedding_text),
            ),
        )
        for chunk_id, chunk in zip(ids, chunks, strict=True)
    )
