"""Telling people: what is the matter, once, with the remedy, and delivered."""
