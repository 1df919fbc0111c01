"""Word, PowerPoint, and office files under a password."""
