from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("models_app", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="trainedmodel",
            name="topics",
            field=models.JSONField(blank=True, default=list, editable=False, verbose_name="topics"),
        ),
    ]
