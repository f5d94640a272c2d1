from pathlib import Path

from django.conf import settings
from django.db import migrations, models


def measure(apps, schema_editor):
    """The files of what is here already count as well."""
    TrainedModel = apps.get_model("models_app", "TrainedModel")
    for pk, directory in TrainedModel.objects.values_list("pk", "directory"):
        files = (path for path in (Path(settings.CHECKPOINTS_DIR) / directory).rglob("*") if path.is_file())
        TrainedModel.objects.filter(pk=pk).update(stored_bytes=sum(path.stat().st_size for path in files))


class Migration(migrations.Migration):
    dependencies = [
        ("models_app", "0003_trainedmodel_report"),
    ]

    operations = [
        migrations.AddField(
            model_name="trainedmodel",
            name="stored_bytes",
            field=models.PositiveBigIntegerField(default=0, editable=False),
        ),
        migrations.RunPython(measure, migrations.RunPython.noop),
    ]
