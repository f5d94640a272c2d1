import botfactory.jobs.states
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("kind", models.CharField(max_length=32, verbose_name="kind")),
                ("queue", models.CharField(max_length=32, verbose_name="queue")),
                ("title", models.CharField(max_length=200, verbose_name="title")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Waiting"),
                            ("running", "Running"),
                            ("cancelling", "Stopping"),
                            ("interrupted", "Starting again"),
                            ("succeeded", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default=botfactory.jobs.states.State["QUEUED"],
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("subject_id", models.UUIDField(blank=True, db_index=True, null=True, verbose_name="subject")),
                ("arguments", models.JSONField(blank=True, default=dict, verbose_name="arguments")),
                ("progress", models.JSONField(blank=True, default=dict, verbose_name="progress")),
                ("result", models.JSONField(blank=True, default=dict, verbose_name="result")),
                ("error_code", models.CharField(blank=True, max_length=64, verbose_name="error code")),
                ("error_message", models.TextField(blank=True, verbose_name="error message")),
                (
                    "words",
                    models.JSONField(blank=True, default=dict, editable=False, verbose_name="translation of the texts"),
                ),
                ("stop_requested", models.BooleanField(default=False, verbose_name="stop requested")),
                ("attempt", models.PositiveIntegerField(default=0, verbose_name="attempt")),
                ("interruptions", models.PositiveIntegerField(default=0, verbose_name="interruptions")),
                ("worker", models.CharField(blank=True, max_length=255, verbose_name="worker")),
                ("last_sequence", models.PositiveIntegerField(default=0, verbose_name="number of events")),
                ("priority", models.IntegerField(default=0, verbose_name="priority")),
                ("reserved", models.JSONField(blank=True, default=dict, verbose_name="reserved amounts")),
                ("at_terminal", models.BooleanField(default=False, verbose_name="at a terminal")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                ("available_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="available at")),
                ("rung_at", models.DateTimeField(blank=True, null=True, verbose_name="last announced at")),
                ("started_at", models.DateTimeField(blank=True, null=True, verbose_name="started at")),
                ("claimed_at", models.DateTimeField(blank=True, null=True, verbose_name="claimed at")),
                ("heartbeat_at", models.DateTimeField(blank=True, null=True, verbose_name="heartbeat at")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="finished at")),
                (
                    "mail_due_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="mail due at"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="jobs",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "job",
                "verbose_name_plural": "jobs",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="JobEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.PositiveIntegerField(verbose_name="sequence")),
                ("kind", models.CharField(max_length=32, verbose_name="kind")),
                ("payload", models.JSONField(default=dict, verbose_name="payload")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="created at")),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="jobs.job",
                        verbose_name="job",
                    ),
                ),
            ],
            options={
                "verbose_name": "event of a job",
                "verbose_name_plural": "events of a job",
                "ordering": ["job", "sequence"],
            },
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("queue", models.CharField(max_length=32)),
                ("served_at", models.DateTimeField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="turns", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["queue", "state", "created_at"], name="job_queue_state"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["owner", "-created_at"], name="job_owner_created"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["state", "owner"], name="job_state_owner"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("mail_due_at__isnull", False)), fields=["mail_due_at"], name="job_mail_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="jobevent",
            constraint=models.UniqueConstraint(fields=("job", "sequence"), name="job_event_sequence"),
        ),
        migrations.AddConstraint(
            model_name="turn",
            constraint=models.UniqueConstraint(fields=("owner", "queue"), name="turn_once"),
        ),
    ]
