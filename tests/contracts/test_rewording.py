"""Migrations that change only words say so, and those that say so change nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AlterField
from django.db.migrations.state import ProjectState
from django.db.models import Field

from botfactory.rewording import WORDS, Reword


def changes() -> Iterator[tuple[str, bool, bool]]:
    """Yield each field that a migration of ours changes, whether that's a Reword, and whether only words change."""
    loader, state = MigrationLoader(None, ignore_no_migrations=True), ProjectState()
    for app, name in loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):
        is_ours = "site-packages" not in Path(apps.get_app_config(app).path).parts
        for operation in loader.graph.nodes[app, name].operations:
            if is_ours and isinstance(operation, (AlterField, Reword)):
                before = state.models[app, operation.model_name_lower].fields[operation.name]
                what = f"{app}.{name}: {operation.describe()}"
                yield what, isinstance(operation, Reword), is_of_words(before, operation.field)
            operation.state_forwards(app, state)


def is_of_words(before: Field[object, object], after: Field[object, object]) -> bool:
    (*first, options), (*second, changed) = before.deconstruct()[1:], after.deconstruct()[1:]
    return first == second and {key for key in {*options, *changed} if options.get(key) != changed.get(key)} <= WORDS


def test_no_words_are_in_the_database() -> None:
    assert set(Field.non_db_attrs) >= WORDS


def test_only_words_change_where_a_migration_says_so_and_only_there() -> None:
    found = list(changes())
    assert sum(says_so for _, says_so, _ in found) > 100
    assert [what for what, says_so, is_words in found if says_so and not is_words] == []
    assert [what for what, says_so, is_words in found if is_words and not says_so] == []
