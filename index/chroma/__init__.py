"""Where Chroma keeps vectors: a folder of ours, or a server."""
