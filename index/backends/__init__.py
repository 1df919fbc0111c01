"""Ways to run an embedding model."""
