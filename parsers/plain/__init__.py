"""Plain and structured text, subtitles, pictures."""
