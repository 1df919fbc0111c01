"""How stale sources are, and publishing it."""
