from django.db import migrations
from django.db.models import F


def make_speed_that_of_the_machine(apps, schema_editor):
    """The speed was that of a core."""
    apps.get_model("models_app", "TrainingMachine").objects.update(speed=F("speed") * F("cores_used"))


class Migration(migrations.Migration):

    dependencies = [
        ('models_app', '0022_longer_names'),
    ]

    operations = [
        migrations.RunPython(make_speed_that_of_the_machine, migrations.RunPython.noop),
        *(
            migrations.RemoveField(model_name='trainingmachine', name=name)
            for name in ('cores', 'cores_used', 'cores_had', 'others', 'nice')
        ),
        migrations.RemoveField(model_name='trainedmodel', name='cores_used'),
    ]
