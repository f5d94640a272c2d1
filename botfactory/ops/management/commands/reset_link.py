from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from botfactory.accounts import passwords
from botfactory.accounts.services import terminal_account
from botfactory.ops.commands import ProductCommand, address_of


class Command(ProductCommand):
    help = "Prints a link with which a person sets a new password, once within three days: where no mail is sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--address", help="where people open the pages (default: by ALLOWED_HOSTS and HTTPS)")

    def handle(self, *args: Any, **options: Any) -> None:
        user = terminal_account(options["username"])
        self.stdout.write(address_of(passwords.reset_path(user), options["address"]))
