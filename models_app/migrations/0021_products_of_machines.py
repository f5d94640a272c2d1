from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('models_app', '0020_accounts_of_versions'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='trainingmachine',
            name='of_tokens',
        ),
        migrations.AddField(
            model_name='trainingmachine',
            name='products',
            field=models.FloatField(default=0),
        ),
    ]
