from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("models_app", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="refused",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
