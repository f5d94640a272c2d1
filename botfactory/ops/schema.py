"""Find out whether the database is from a newer version than the code."""

from __future__ import annotations

from typing import Final

from django.apps import apps
from django.core.management.base import CommandError
from django.db.migrations.loader import MigrationLoader

#: The packages of our apps. Libraries may replace their migrations.
_OURS: Final = frozenset({"botfactory", "tweets", "models_app", "publishing"})


def newer_migrations(loader: MigrationLoader) -> list[str]:
    """Return the migrations of our apps that the database has and this version doesn't, such as "jobs 0021_words"."""
    labels = {config.label for config in apps.get_app_configs() if config.name.partition(".")[0] in _OURS}
    known = set(loader.disk_migrations or {})
    known |= {replaced for migration in (loader.disk_migrations or {}).values() for replaced in migration.replaces}
    newer = {key for key in loader.applied_migrations or {} if key[0] in labels} - known
    return [f"{label} {name}" for label, name in sorted(newer)]


def refuse_newer(loader: MigrationLoader) -> None:
    """Raise CommandError if the database is from a newer version, which this one could damage."""
    if newer := newer_migrations(loader):
        raise CommandError(
            f"The database is from a newer version of Bot Factory ({some_of(newer)}). Update the code, or restore "
            "a backup of this version."
        )


def some_of(migrations: list[str]) -> str:
    """Return the first three names."""
    return f"{', '.join(migrations[:3])}{' ...' if len(migrations) > 3 else ''}"
