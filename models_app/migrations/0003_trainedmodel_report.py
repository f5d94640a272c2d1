from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("models_app", "0002_generation_refused"),
    ]

    operations = [
        migrations.AddField(
            model_name="trainedmodel",
            name="report",
            field=models.JSONField(blank=True, default=dict, verbose_name="report card"),
        ),
    ]
