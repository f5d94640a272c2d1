"""Bots that write in a person's browser, without the server (docs/bots.md)."""
