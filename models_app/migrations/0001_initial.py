import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("jobs", "0001_initial"),
        ("tweets", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TrainingMachine",
            fields=[
                ("machine", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("host", models.CharField(max_length=255)),
                ("speed", models.FloatField()),
                ("products", models.FloatField(default=0)),
                ("memory", models.PositiveBigIntegerField(null=True)),
                ("measured_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Generation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("sampling", models.JSONField(default=dict, verbose_name="settings")),
                ("posts", models.JSONField(default=list, verbose_name="posts")),
                ("refused", models.JSONField(blank=True, default=dict, verbose_name="rejected drafts")),
                ("seconds", models.FloatField(verbose_name="seconds")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="generations",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "generation",
                "verbose_name_plural": "generations",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Search",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80)),
                ("kind", models.CharField(choices=[("bot", "A bot"), ("base", "A base model")], max_length=16)),
                ("start_name", models.CharField(blank=True, max_length=240)),
                ("settings", models.JSONField(default=dict)),
                ("space", models.JSONField(default=dict)),
                (
                    "sampler",
                    models.CharField(
                        choices=[("tpe", "TPE: learns from the trials so far"), ("random", "Random")],
                        default="tpe",
                        max_length=16,
                    ),
                ),
                (
                    "pruner",
                    models.CharField(
                        choices=[
                            ("median", "Median: worse than half of the trials so far"),
                            ("hyperband", "Hyperband: only the best third goes on"),
                            ("none", "Never"),
                        ],
                        default="median",
                        max_length=16,
                    ),
                ),
                ("wanted", models.PositiveIntegerField()),
                ("at_once", models.PositiveIntegerField(default=1)),
                ("seed", models.PositiveBigIntegerField()),
                ("importance", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "corpus",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="searches",
                        to="tweets.corpus",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="searches",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Lane",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lane", to="jobs.job"
                    ),
                ),
                (
                    "search",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lanes", to="models_app.search"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TrainedModel",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("is_base", models.BooleanField(default=False, verbose_name="base model")),
                (
                    "tier",
                    models.CharField(
                        choices=[("quick", "Quick"), ("fluent", "Fluent")],
                        default="quick",
                        editable=False,
                        max_length=16,
                        verbose_name="tier",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("shipped", "Shipped with the product"),
                            ("uploaded", "Uploaded"),
                            ("trained", "Trained here"),
                        ],
                        max_length=16,
                        verbose_name="origin",
                    ),
                ),
                ("retired_at", models.DateTimeField(blank=True, null=True, verbose_name="retired at")),
                ("parent_name", models.CharField(blank=True, max_length=240, verbose_name="started from")),
                ("corpus_name", models.CharField(blank=True, max_length=80, verbose_name="name of the corpus")),
                (
                    "learned_accounts",
                    models.JSONField(
                        blank=True, default=list, editable=False, verbose_name="accounts whose posts it learned"
                    ),
                ),
                ("posts", models.PositiveIntegerField(default=0, verbose_name="posts")),
                ("characters", models.PositiveIntegerField(default=0, verbose_name="characters")),
                ("directory", models.CharField(max_length=200, verbose_name="directory")),
                ("sha256", models.CharField(max_length=64, verbose_name="sha256")),
                ("network", models.JSONField(default=dict, verbose_name="network")),
                ("training", models.JSONField(blank=True, default=dict, verbose_name="settings of the training")),
                ("history", models.JSONField(blank=True, default=list, verbose_name="epochs")),
                ("kept_epoch", models.PositiveIntegerField(blank=True, null=True, verbose_name="kept epoch")),
                ("interpolation", models.FloatField(blank=True, null=True, verbose_name="part of the way to it")),
                ("bits_per_character", models.FloatField(blank=True, null=True, verbose_name="bits per character")),
                ("samples", models.JSONField(blank=True, default=list, editable=False, verbose_name="sample posts")),
                ("report", models.JSONField(blank=True, default=dict, verbose_name="report card")),
                ("seconds", models.FloatField(blank=True, null=True, verbose_name="seconds")),
                (
                    "characters_per_second",
                    models.FloatField(blank=True, null=True, verbose_name="characters per second"),
                ),
                (
                    "stored_bytes",
                    models.PositiveBigIntegerField(default=0, editable=False, verbose_name="stored bytes"),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "visibility",
                    models.CharField(
                        choices=[("private", "Private"), ("unlisted", "By link"), ("public", "In the gallery")],
                        db_index=True,
                        default="private",
                        max_length=16,
                        verbose_name="visibility",
                    ),
                ),
                ("link", models.CharField(editable=False, max_length=43, null=True, unique=True, verbose_name="link")),
                ("is_game_open", models.BooleanField(default=False, editable=False, verbose_name="game for others")),
                (
                    "is_browser_open",
                    models.BooleanField(default=False, editable=False, verbose_name="in browsers of others"),
                ),
                ("is_demo", models.BooleanField(default=False, editable=False, verbose_name="on the front page")),
                (
                    "corpus",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="trained_models",
                        to="tweets.corpus",
                        verbose_name="corpus",
                    ),
                ),
                (
                    "job",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="trained_model",
                        to="jobs.job",
                        verbose_name="training job",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trained_models",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="children",
                        to="models_app.trainedmodel",
                        verbose_name="starting point",
                    ),
                ),
            ],
            options={
                "verbose_name": "trained model",
                "verbose_name_plural": "trained models",
                "ordering": ["-created_at"],
            },
        ),
        migrations.AddField(
            model_name="search",
            name="start",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="searches",
                to="models_app.trainedmodel",
            ),
        ),
        migrations.CreateModel(
            name="PostReport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("text", models.TextField(verbose_name="text")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("hurtful", "It insults or threatens somebody"),
                            ("personal", "It has personal data"),
                            ("copy", "It copies a real post"),
                            ("false", "It claims something false about a real person"),
                            ("other", "Something else"),
                        ],
                        max_length=16,
                        verbose_name="reason",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed at")),
                (
                    "generation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="reports",
                        to="models_app.generation",
                        verbose_name="generation",
                    ),
                ),
                (
                    "reporter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="post_reports",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="reported by",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reports",
                        to="models_app.trainedmodel",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "reported post",
                "verbose_name_plural": "reported posts",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="KeptPost",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("text", models.TextField(verbose_name="text")),
                ("is_edited", models.BooleanField(default=False, verbose_name="edited")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "generation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="kept_posts",
                        to="models_app.generation",
                        verbose_name="generation",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="kept_posts",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="kept_posts",
                        to="models_app.trainedmodel",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "kept post",
                "verbose_name_plural": "kept posts",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.AddField(
            model_name="generation",
            name="model",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="generations",
                to="models_app.trainedmodel",
                verbose_name="model",
            ),
        ),
        migrations.CreateModel(
            name="Game",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("items", models.JSONField(default=list, verbose_name="posts")),
                ("answers", models.JSONField(default=list, verbose_name="answers")),
                ("right", models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="right answers")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "player",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="games",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="player",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="games",
                        to="models_app.trainedmodel",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "game",
                "verbose_name_plural": "games",
                "ordering": ["-created_at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="BotTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(db_index=True, max_length=24, verbose_name="name")),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tags",
                        to="models_app.trainedmodel",
                        verbose_name="model",
                    ),
                ),
            ],
            options={
                "verbose_name": "tag",
                "verbose_name_plural": "tags",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="BaseChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "how",
                    models.CharField(
                        choices=[
                            ("shipped", "Came with the product"),
                            ("promoted", "Promoted"),
                            ("rolled_back", "Rolled back"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "tier",
                    models.CharField(
                        choices=[("quick", "Quick"), ("fluent", "Fluent")], default="quick", max_length=16
                    ),
                ),
                ("model_name", models.CharField(max_length=240)),
                ("sha256", models.CharField(max_length=64)),
                ("by_name", models.CharField(blank=True, max_length=150)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="base_changes",
                        to="models_app.trainedmodel",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="Trial",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("complete", "Complete"),
                            ("pruned", "Ended early"),
                            ("failed", "Failed"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                ("parameters", models.JSONField(default=dict)),
                ("bits_per_character", models.FloatField(null=True)),
                ("points", models.JSONField(default=dict)),
                ("seconds", models.FloatField(default=0.0)),
                ("weights", models.PositiveBigIntegerField(null=True)),
                ("why", models.TextField(blank=True)),
                ("words", models.JSONField(blank=True, default=dict)),
                ("attributes", models.JSONField(blank=True, default=dict)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "job",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="trials", to="jobs.job"
                    ),
                ),
                (
                    "search",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="trials", to="models_app.search"
                    ),
                ),
            ],
            options={
                "ordering": ["search", "number"],
            },
        ),
        migrations.AddConstraint(
            model_name="trainedmodel",
            constraint=models.UniqueConstraint(fields=("owner", "name"), name="model_name_once"),
        ),
        migrations.AddConstraint(
            model_name="trainedmodel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_base", True)), fields=("tier",), name="one_base_model_per_tier"
            ),
        ),
        migrations.AddConstraint(
            model_name="trainedmodel",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_demo", True)), fields=("is_demo",), name="one_demo_bot"
            ),
        ),
        migrations.AddConstraint(
            model_name="postreport",
            constraint=models.UniqueConstraint(
                fields=("reporter", "generation", "number"), name="reported_once_per_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="keptpost",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_edited", False)), fields=("generation", "number"), name="kept_once_as_written"
            ),
        ),
        migrations.AddConstraint(
            model_name="bottag",
            constraint=models.UniqueConstraint(fields=("model", "name"), name="tag_once_per_model"),
        ),
        migrations.AddConstraint(
            model_name="trial",
            constraint=models.UniqueConstraint(fields=("search", "number"), name="trial_number_once"),
        ),
    ]
