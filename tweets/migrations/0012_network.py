from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import F


def take_from_source(apps: Any, schema_editor: Any) -> None:
    """Until now only what came from a network had a handle."""
    corpora = apps.get_model("tweets", "Corpus").objects
    corpora.filter(source__in=["bluesky", "mastodon", "x"]).update(network=F("source"))


class Migration(migrations.Migration):
    dependencies = [("tweets", "0011_audit_sharing")]

    operations = [
        migrations.AddField(
            model_name="corpus",
            name="network",
            field=models.CharField(blank=True, max_length=16),
        ),
        migrations.RunPython(take_from_source, migrations.RunPython.noop),
    ]
