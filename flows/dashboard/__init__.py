"""The dashboard: pages for people and the same as JSON, on one small web server."""
