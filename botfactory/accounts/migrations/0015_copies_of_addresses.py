from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import Exists, OuterRef, Subquery


def forwards(apps: Any, schema_editor: Any) -> None:
    """Set the address in a person's row to their main one, where it is none of theirs.

    Correcting an address in the administration used to leave the wrong one there, and its owner could reset the
    password.
    """
    addresses = apps.get_model("account", "EmailAddress").objects.filter(user=OuterRef("pk"))
    main = addresses.order_by("-primary", "-verified", "pk").values("email")[:1]
    same = addresses.filter(email__iexact=OuterRef("email"))
    stale = apps.get_model("accounts", "User").objects.exclude(email="").filter(Exists(addresses), ~Exists(same))
    stale.update(email=Subquery(main))


class Migration(migrations.Migration):
    dependencies = [
        ("account", "0009_emailaddress_unique_primary_email"),
        ("accounts", "0014_tier_recipes"),
    ]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
