"""Judges: whether text is text, chunks keep their contract, a run balances, a source is fresh."""
