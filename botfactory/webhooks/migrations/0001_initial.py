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
            name="Webhook",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("url", models.CharField(max_length=2000, verbose_name="address")),
                ("events", models.JSONField(default=list, verbose_name="events")),
                ("active", models.BooleanField(default=True, verbose_name="active")),
                ("trouble", models.TextField(blank=True, verbose_name="why it was switched off")),
                (
                    "trouble_words",
                    models.JSONField(
                        blank=True, default=dict, editable=False, verbose_name="translation of the reason"
                    ),
                ),
                (
                    "switched_off_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="switched off at"),
                ),
                (
                    "mail_due_at",
                    models.DateTimeField(blank=True, editable=False, null=True, verbose_name="mail due at"),
                ),
                ("salt", models.CharField(editable=False, max_length=64, verbose_name="salt")),
                ("former_salts", models.JSONField(default=list, editable=False, verbose_name="former salts")),
                ("secret_check", models.CharField(editable=False, max_length=16, verbose_name="secret check")),
                ("failing_since", models.DateTimeField(blank=True, null=True, verbose_name="failing since")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook",
                "verbose_name_plural": "webhooks",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("event", models.CharField(max_length=64, verbose_name="event")),
                ("subject_id", models.UUIDField(verbose_name="subject")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting"),
                            ("sending", "Sending"),
                            ("delivered", "Arrived"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                (
                    "due_at",
                    models.DateTimeField(
                        blank=True, default=django.utils.timezone.now, null=True, verbose_name="due at"
                    ),
                ),
                ("tried_at", models.DateTimeField(blank=True, null=True, verbose_name="tried at")),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="status")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "error_words",
                    models.JSONField(blank=True, default=dict, editable=False, verbose_name="translation of the error"),
                ),
                ("seconds", models.FloatField(blank=True, null=True, verbose_name="seconds")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="webhooks.webhook",
                        verbose_name="webhook",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
                "ordering": ["-created_at"],
                "indexes": [
                    models.Index(fields=["state", "due_at"], name="delivery_state_due"),
                    models.Index(fields=["webhook", "-created_at"], name="delivery_webhook_created"),
                ],
            },
        ),
    ]
