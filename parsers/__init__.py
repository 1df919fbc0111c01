"""Bytes in, `ParsedDocument` out; and the sandbox in which that happens."""
