from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tweets", "0015_names_of_fields"),
    ]

    operations = [
        migrations.AddField(
            model_name="corpus",
            name="account_id",
            field=models.TextField(blank=True, editable=False, verbose_name="account ID"),
        ),
    ]
