"""An operation for migrations that change what people read of a field, and nothing in the database."""

from __future__ import annotations

from typing import Any, Final

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.fields import FieldOperation
from django.db.migrations.state import ProjectState
from django.db.models import Field

#: What people read of a field. Anything else is for AlterField.
WORDS: Final = frozenset({"verbose_name", "help_text", "choices"})


class Reword(FieldOperation):
    """Changes WORDS of a field. `makemigrations` writes AlterField with the same arguments; put this in its place.

    After an AlterField, Django makes the classes of all related models again, which takes long and changes nothing
    here. It isn't an AlterField, because `squashmigrations` drops an AlterField that another one follows.
    """

    field: Field[Any, Any]

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        made = state.__dict__.pop("apps", None)
        state.alter_field(app_label, self.model_name_lower, self.name, self.field, preserve_default=True)
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
