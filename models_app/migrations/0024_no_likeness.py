from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('models_app', "0023_speed_of_machines"),
    ]

    operations = [
        migrations.RemoveField(
            model_name='generation',
            name='likeness',
        ),
    ]
