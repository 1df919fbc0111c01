"""Acts: Prefect flows, the command line, settings, and the wiring of everything below."""
