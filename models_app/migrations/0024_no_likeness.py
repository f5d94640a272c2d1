from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('models_app', '0022_longer_names'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='generation',
            name='likeness',
        ),
    ]
