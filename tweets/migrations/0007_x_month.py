from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tweets", "0006_opt_out")]

    operations = [
        migrations.CreateModel(
            name="XMonth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.CharField(max_length=7, unique=True)),
                ("posts", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["-month"],
                "verbose_name": "month of X",
                "verbose_name_plural": "months of X",
            },
        ),
    ]
