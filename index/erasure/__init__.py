"""Erasing documents, down to the files, and showing that they are gone."""
