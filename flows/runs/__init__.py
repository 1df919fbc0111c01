"""What a run over a source does, part by part."""
