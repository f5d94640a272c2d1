"""Which accounts a version of the base model has learned, and the bots that started from it, for opt-outs.

Versions trained since 0019 didn't note it.
"""

from functools import cache

from django.db import migrations


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
        noted = {(network, handle) for network, handle in model.learned_accounts}
        own = accounts_in(model.corpus) if model.corpus else set()
        return frozenset(noted | own) | learned(model.parent_id)

    for model in found.values():
        accounts = [list(account) for account in sorted(learned(model.pk))]
        if accounts != model.learned_accounts:
            rows.filter(pk=model.pk).update(learned_accounts=accounts)


class Migration(migrations.Migration):
    dependencies = [("models_app", "0019_learned_accounts"), ("tweets", "0015_names_of_fields")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
