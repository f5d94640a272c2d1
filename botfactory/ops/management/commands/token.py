from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from botfactory.accounts import tokens
from botfactory.ops.commands import OwnerCommand


class Command(OwnerCommand):
    help = "Make an API token. Its text is printed now and kept nowhere."
    sentences = (tokens.TokenError,)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help="what will use it")
        parser.add_argument(
            "--scope",
            action="append",
            choices=tokens.SCOPES,
            help="what it may; repeatable (default: read and write)",
        )
        parser.add_argument("--days", type=int, metavar="N", help="when it expires (default: when it is revoked)")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        try:
            expires_at = None if days is None else timezone.now() + timedelta(days=days)
        except OverflowError:
            raise tokens.TokenError(f"{days} days are too many: choose fewer, or leave it out.") from None
        new = tokens.create_token(
            owner=self.owner(options),
            name=options["name"],
            scopes=options["scope"] or tokens.DEFAULT_SCOPES,
            expires_at=expires_at,
        )
        self.tell(f"A token of {new.token.owner.username}: it may {' and '.join(new.token.scopes)}. It is shown once.")
        self.stdout.write(new.text)
