"""What is remembered: the catalog, chunks and their embeddings, vectors, and the sync plan."""
