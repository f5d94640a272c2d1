from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0004_words'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhook',
            name='switched_off_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='switched off at'),
        ),
        migrations.AddField(
            model_name='webhook',
            name='mail_due_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='mail due at'),
        ),
    ]
