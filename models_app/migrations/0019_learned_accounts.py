"""Which accounts a bot has learned, for opt-outs; bots end being shared whose starting point or posts are gone."""

from functools import cache

from django.db import migrations, models


def accounts_in(corpus):
    own = {(name, corpus.handle.lower()) for name in (corpus.network, corpus.source) if name and corpus.handle}
    parts = {(part.get("network") or part["source"], part["handle"].lower()) for part in corpus.parts if part["handle"]}
    return own | parts


def forwards(apps, schema_editor):
    rows = apps.get_model("models_app", "TrainedModel").objects
    found = {model.pk: model for model in rows.select_related("corpus").defer("history", "report", "samples")}

    @cache
    def learned(number):
        model = found.get(number)
        if model is None:
            return frozenset()
        own = accounts_in(model.corpus) if model.corpus else set()
        return frozenset(own) | learned(model.parent_id)

    @cache
    def is_known(number):
        model = found[number]
        if model.origin or (model.owner_id is None and model.directory == "base"):
            return True
        if model.corpus is None or not model.corpus.basis:
            return False
        # A name with a slash was a person's model, which is deleted.
        return "/" not in model.parent_name if model.parent_id is None else is_known(model.parent_id)

    for model in found.values():
        if accounts := learned(model.pk):
            rows.filter(pk=model.pk).update(learned_accounts=[list(account) for account in sorted(accounts)])
        if model.visibility != "private" and not is_known(model.pk):
            rows.filter(pk=model.pk).update(visibility="private", link=None, is_demo=False, is_browser_open=False)


class Migration(migrations.Migration):
    dependencies = [("models_app", "0018_base_of_tokens"), ("tweets", "0015_names_of_fields")]

    operations = [
        migrations.AddField(
            model_name="trainedmodel",
            name="learned_accounts",
            field=models.JSONField(
                blank=True, default=list, editable=False, verbose_name="accounts whose posts it learned"
            ),
        ),
        migrations.RunPython(forwards, migrations.RunPython.noop),
    ]
