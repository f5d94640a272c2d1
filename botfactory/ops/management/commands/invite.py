from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from botfactory.accounts import signup
from botfactory.accounts.rules import house_rules
from botfactory.ops.commands import OwnerCommand, address_of


class Command(OwnerCommand):
    help = "Makes an invitation and prints its link, with which people can sign up where that is by invitation."
    sentences = (signup.BadInvitation,)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--uses", type=int, default=1, help="for how many people it is (default: 1)")
        parser.add_argument("--days", type=float, default=7, help="how long it works; 0: until revoked (default: 7)")
        parser.add_argument("--note", default="", help="for whom it is; only administrators see it")
        parser.add_argument("--address", help="where people open the pages (default: by ALLOWED_HOSTS and HTTPS)")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        new = signup.invite(
            by=self.owner(options),
            note=options["note"],
            uses=options["uses"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        if house_rules().is_signup_open:
            self.tell("Everybody may sign up here now, so nobody needs this link (Admin, House rules).")
        self.stdout.write(address_of(signup.path_of(new), options["address"]))
