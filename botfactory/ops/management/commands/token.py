from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from botfactory.accounts import tokens
from botfactory.ops.commands import OwnerCommand


class Command(OwnerCommand):
    help = "Create an API token and print it. It isn't stored, so this is the only time you see it."
    sentences = (tokens.TokenError,)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help="what will use it")
        parser.add_argument(
            "--scope",
            action="append",
            choices=tokens.SCOPES,
            help="what it can do; can be given several times (default: read and write)",
        )
        parser.add_argument("--days", type=int, metavar="N", help="days until it expires (default: never)")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        try:
            expires_at = None if days is None else timezone.now() + timedelta(days=days)
        except OverflowError:
            raise tokens.TokenError(f"{days} days are too many. Choose fewer, or leave out --days.") from None
        new = tokens.create_token(
            owner=self.owner(options),
            name=options["name"],
            scopes=options["scope"] or tokens.DEFAULT_SCOPES,
            expires_at=expires_at,
        )
        self.tell(f"Token of {new.token.owner.username} with the scopes {', '.join(new.token.scopes)}. Copy it now:")
        self.stdout.write(new.text)
