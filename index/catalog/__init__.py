"""What Headwater knows of sources, documents, chunks, runs and quarantine, in a SQL database."""
