"""Writing as a service of its own: web processes ask, writers answer (docs/architecture.md#writing)."""
