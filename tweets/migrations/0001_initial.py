import django.db.models.deletion
import django.utils.timezone
import tweets.models
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
            name="XMonth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.CharField(max_length=7, unique=True)),
                ("posts", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name": "month of X",
                "verbose_name_plural": "months of X",
                "ordering": ["-month"],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, editable=False, verbose_name="at"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("import", "Import"),
                            ("reclean", "Clean again"),
                            ("export", "Export"),
                            ("delete", "Delete"),
                            ("opt_out", "Opt-out"),
                            ("share", "Share a bot"),
                        ],
                        max_length=16,
                        verbose_name="action",
                    ),
                ),
                ("who_name", models.CharField(blank=True, max_length=150, verbose_name="who")),
                ("about", models.CharField(max_length=420, verbose_name="about")),
                ("subject_id", models.UUIDField(null=True, verbose_name="subject")),
                ("details", models.JSONField(default=dict, verbose_name="details")),
                (
                    "who",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="who",
                    ),
                ),
            ],
            options={
                "verbose_name": "audit log entry",
                "verbose_name_plural": "audit log entries",
                "ordering": ["-at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Corpus",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                (
                    "state",
                    models.CharField(
                        choices=[("importing", "Importing"), ("ready", "Ready"), ("failed", "Failed")],
                        default="importing",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("source", models.CharField(max_length=16, verbose_name="source")),
                (
                    "basis",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("own", "My own account"),
                            ("permission", "Somebody who gave me permission"),
                            ("public", "A public figure, as a parody"),
                        ],
                        max_length=16,
                        verbose_name="basis",
                    ),
                ),
                ("handle", models.CharField(blank=True, max_length=320, verbose_name="handle")),
                ("network", models.CharField(blank=True, max_length=16, verbose_name="network")),
                ("account_id", models.TextField(blank=True, editable=False, verbose_name="account ID")),
                ("file_name", models.CharField(blank=True, max_length=200, verbose_name="file name")),
                ("parts", models.JSONField(blank=True, default=list, editable=False, verbose_name="parts of a blend")),
                ("cursor", models.TextField(blank=True, verbose_name="place in the source")),
                ("is_complete", models.BooleanField(default=False, verbose_name="all posts read")),
                ("rules", models.JSONField(blank=True, default=dict, verbose_name="rules")),
                ("posts_found", models.PositiveIntegerField(default=0, verbose_name="posts found")),
                ("posts_kept", models.PositiveIntegerField(default=0, verbose_name="posts kept")),
                ("characters", models.PositiveIntegerField(default=0, verbose_name="characters")),
                ("dropped", models.JSONField(blank=True, default=dict, verbose_name="dropped posts by rule")),
                ("report", models.JSONField(blank=True, default=dict, editable=False, verbose_name="report")),
                (
                    "stored_bytes",
                    models.PositiveBigIntegerField(default=0, editable=False, verbose_name="stored bytes"),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="corpora",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "corpus",
                "verbose_name_plural": "corpora",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="OptOut",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "network",
                    models.CharField(choices=tweets.models.network_choices, max_length=16, verbose_name="network"),
                ),
                ("handle", models.CharField(max_length=320, verbose_name="handle")),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "opt-out",
                "verbose_name_plural": "opt-outs",
                "ordering": ["handle"],
                "constraints": [models.UniqueConstraint(fields=("network", "handle"), name="opt_out_once")],
            },
        ),
        migrations.CreateModel(
            name="Post",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                ("text", models.TextField()),
                ("posted_at", models.DateTimeField(blank=True, null=True)),
                ("is_repost", models.BooleanField(default=False)),
                ("is_reply", models.BooleanField(default=False)),
                ("is_quote", models.BooleanField(default=False)),
                ("has_warning", models.BooleanField(default=False)),
                ("is_removed", models.BooleanField(default=False)),
                ("cleaned", models.TextField(blank=True)),
                ("dropped", models.CharField(blank=True, max_length=16)),
                (
                    "corpus",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="posts", to="tweets.corpus"
                    ),
                ),
            ],
            options={
                "ordering": ["corpus", "pk"],
                "indexes": [models.Index(fields=["corpus", "dropped"], name="post_corpus_dropped")],
                "constraints": [models.UniqueConstraint(fields=("corpus", "key"), name="post_once")],
            },
        ),
    ]
