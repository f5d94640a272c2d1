"""Django's `makemessages`, which also collects the texts of pure code (botfactory.translatable)."""

from __future__ import annotations

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=mark", "--keyword=counted_sentence:1,2"]
