from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from botfactory.accounts import passwords
from botfactory.accounts.services import terminal_account
from botfactory.ops.commands import ProductCommand, add_address, address_of


class Command(ProductCommand):
    help = "Print a link to set a new password, for installations without mail. It works once, for three days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        add_address(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        user = terminal_account(options["username"])
        self.stdout.write(address_of(passwords.reset_path(user), options["address"]))
