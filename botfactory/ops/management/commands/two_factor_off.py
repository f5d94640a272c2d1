from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from botfactory.accounts import two_factor
from botfactory.accounts.services import terminal_account
from botfactory.ops.commands import ProductCommand


class Command(ProductCommand):
    help = "Turn off a person's two-factor sign-in, for example if they lost both their phone and their recovery codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = terminal_account(options["username"])
        if two_factor.switch_off(user):
            self.stdout.write(f"Turned off two-factor sign-in for {user}. They can set it up again.")
        else:
            self.stdout.write(f"{user} has no two-factor sign-in.")
