from django.db import migrations, models

from botfactory.rewording import Reword


class Migration(migrations.Migration):

    dependencies = [
        ('models_app', '0024_no_likeness'),
    ]

    operations = [
        migrations.RenameField(
            model_name='trainedmodel',
            old_name='best_epoch',
            new_name='kept_epoch',
        ),
        Reword(
            model_name='trainedmodel',
            name='kept_epoch',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='kept epoch'),
        ),
        migrations.AddField(
            model_name='trainedmodel',
            name='interpolation',
            field=models.FloatField(blank=True, null=True, verbose_name='part of the way to it'),
        ),
    ]
