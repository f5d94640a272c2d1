from __future__ import annotations

import re
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

_NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def note_subjects(apps: Any, schema_editor: Any) -> None:
    """Note what the answers of the last 24 hours are about."""
    answers, subjects = apps.get_model("rest", "KeptAnswer").objects, apps.get_model("rest", "AnswerSubject")
    for answer in answers.exclude(body="").iterator():
        numbers = sorted(set(_NUMBER.findall(answer.body)))
        subjects.objects.bulk_create([subjects(answer=answer, number=number) for number in numbers])


class Migration(migrations.Migration):
    dependencies = [("rest", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AnswerSubject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.UUIDField(db_index=True)),
                (
                    "answer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="subjects", to="rest.keptanswer"
                    ),
                ),
            ],
        ),
        migrations.RunPython(note_subjects, migrations.RunPython.noop),
    ]
