from django.db import migrations, models
from django.db.models import Sum
from django.db.models.functions import Length


def measure(apps, schema_editor):
    """What is here already counts as well; an upload that is still kept does once its import has ended."""
    Corpus, Post = apps.get_model("tweets", "Corpus"), apps.get_model("tweets", "Post")
    stored = Post.objects.order_by().values_list("corpus").annotate(stored=Sum(Length("text") + Length("cleaned")))
    for corpus, size in stored:
        Corpus.objects.filter(pk=corpus).update(stored_bytes=size)


class Migration(migrations.Migration):
    dependencies = [
        ("tweets", "0009_quotes"),
    ]

    operations = [
        migrations.AddField(
            model_name="corpus",
            name="stored_bytes",
            field=models.PositiveBigIntegerField(default=0, editable=False),
        ),
        migrations.RunPython(measure, migrations.RunPython.noop),
    ]
