from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('models_app', '0021_products_of_machines'),
    ]

    operations = [
        migrations.AlterField(
            model_name='search',
            name='start_name',
            field=models.CharField(blank=True, max_length=240),
        ),
        migrations.AlterField(
            model_name='trainedmodel',
            name='parent_name',
            field=models.CharField(blank=True, max_length=240, verbose_name='started from'),
        ),
    ]
