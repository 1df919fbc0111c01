"""HTML, Markdown and EPUB."""
