"""An operation for migrations that change what people read of a field, and nothing in the database."""

from __future__ import annotations

from typing import Any, Final

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import AlterField
from django.db.migrations.state import ProjectState

#: What people read of a field. All else is for AlterField.
WORDS: Final = frozenset({"verbose_name", "help_text", "choices"})


class Reword(AlterField):
    """AlterField for WORDS. `makemigrations` writes AlterField; put this in its place.

    After an AlterField, Django makes the classes of all models again that have to do with its model. For words, that
    took half of the time in which a new database is made.
    """

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        made = state.__dict__.pop("apps", None)
        super().state_forwards(app_label, state)
        if made is not None:
            state.__dict__["apps"] = made

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Change nothing."""

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        """Change nothing."""

    def describe(self) -> str:
        return f"Change words of field {self.name} on {self.model_name}"
