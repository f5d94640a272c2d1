"""Django's `makemessages`, which also collects the texts of pure code (botfactory.words.translatable)."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=mark", "--keyword=counted_sentence:1,2"]

    def handle(self, *args: Any, **options: Any) -> None:
        """Leave out what isn't shown to anybody: tests, and what others wrote. Lines of the source change too often."""
        options["ignore_patterns"] = [*(options["ignore_patterns"] or []), "tests", "node_modules", ".venv", ".uv"]
        options["no_location"] = True
        super().handle(*args, **options)
