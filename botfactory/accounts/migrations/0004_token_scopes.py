from django.db import migrations, models

import botfactory.accounts.models


class Migration(migrations.Migration):
    """Tokens that were made before scopes may read and write."""

    dependencies = [
        ("accounts", "0003_limits"),
    ]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="scopes",
            field=models.JSONField(default=botfactory.accounts.models.usual_scopes, editable=False),
        ),
    ]
