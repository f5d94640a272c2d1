from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tweets", "0008_parts"),
    ]

    operations = [
        migrations.AddField(
            model_name="post",
            name="is_quote",
            field=models.BooleanField(default=False),
        ),
    ]
