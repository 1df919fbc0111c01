"""`headwater up`: servers, schedules and dashboard as one command."""
