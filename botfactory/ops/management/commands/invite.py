from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from botfactory.accounts import signup
from botfactory.accounts.rules import house_rules
from botfactory.ops.commands import OwnerCommand, add_address, address_of


class Command(OwnerCommand):
    help = "Create an invitation and print its link. People need one to sign up if SIGNUP_MODE is invitation."
    sentences = (signup.BadInvitation,)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--uses", type=int, default=1, help="how many people can use it (default: 1)")
        parser.add_argument("--days", type=float, default=7, help="days until it expires; 0 means never (default: 7)")
        parser.add_argument("--note", default="", help="who it is for; only administrators see this")
        add_address(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        try:
            expires_at = timezone.now() + timedelta(days=days) if days else None
        except (OverflowError, ValueError):  # Too many, or not a number.
            raise signup.BadInvitation(
                f"--days can't be {days:g}. Choose fewer, or 0 for an invitation that never expires."
            ) from None
        new = signup.invite(
            by=self.owner(options),
            note=options["note"],
            uses=options["uses"],
            expires_at=expires_at,
        )
        if house_rules().is_signup_open:
            self.tell("Sign-up is open to everybody, so nobody needs this link. Change that in Admin, House rules.")
        self.stdout.write(address_of(signup.path_of(new), options["address"]))
