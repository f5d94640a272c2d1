from django.db import migrations, models


def columns_into_rules(apps, schema_editor):
    Corpus = apps.get_model("tweets", "Corpus")
    for corpus in Corpus.objects.only("pk", "keep_replies", "keep_reposts").iterator():
        rules = {"keep_replies": corpus.keep_replies, "keep_reposts": corpus.keep_reposts}
        Corpus.objects.filter(pk=corpus.pk).update(rules=rules)


def rules_into_columns(apps, schema_editor):
    Corpus = apps.get_model("tweets", "Corpus")
    for corpus in Corpus.objects.only("pk", "rules").iterator():
        keep = {name: bool(corpus.rules.get(name, False)) for name in ("keep_replies", "keep_reposts")}
        Corpus.objects.filter(pk=corpus.pk).update(**keep)


class Migration(migrations.Migration):
    dependencies = [
        ("tweets", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="corpus",
            name="rules",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="corpus",
            name="report",
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="post",
            name="has_warning",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="post",
            name="is_removed",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(columns_into_rules, rules_into_columns),
        migrations.RemoveField(model_name="corpus", name="keep_replies"),
        migrations.RemoveField(model_name="corpus", name="keep_reposts"),
    ]
