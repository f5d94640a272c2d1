import botfactory.accounts.banned_phrases
import botfactory.accounts.models
import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                ("is_founder", models.BooleanField(default=False, editable=False, verbose_name="is the first person")),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("prefix", models.CharField(editable=False, max_length=16, unique=True, verbose_name="prefix")),
                ("digest", models.CharField(editable=False, max_length=64, verbose_name="digest")),
                (
                    "scopes",
                    models.JSONField(
                        default=botfactory.accounts.models.usual_scopes, editable=False, verbose_name="scopes"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created"),
                ),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last used")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires")),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked")),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "API token",
                "verbose_name_plural": "API tokens",
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="HouseRules",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "signup_mode",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("open", "Everybody"),
                            ("invitation", "People with an invitation"),
                            ("closed", "Nobody"),
                        ],
                        max_length=16,
                        verbose_name="who can sign up",
                    ),
                ),
                (
                    "public_sharing",
                    models.BooleanField(
                        blank=True,
                        help_text="People can show their bots in the gallery.",
                        null=True,
                        verbose_name="public sharing",
                    ),
                ),
                (
                    "open_gallery",
                    models.BooleanField(
                        blank=True,
                        help_text="Visitors can see the gallery without signing in.",
                        null=True,
                        verbose_name="open gallery",
                    ),
                ),
                (
                    "administrators_need_two_factor",
                    models.BooleanField(
                        default=False,
                        help_text="Administrators must set up two-factor sign-in before they can open these pages.",
                        verbose_name="administrators need two-factor sign-in",
                    ),
                ),
                (
                    "banned_phrases",
                    models.TextField(
                        blank=True,
                        default=botfactory.accounts.banned_phrases.shipped,
                        help_text="No bot here writes these words and phrases. Put each on its own line. Case, accents, spaces, punctuation and repeated letters make no difference: “kill yourself” also finds “KILL  your-self”. The list contains phrases that tell people to harm themselves, until you change it.",
                        validators=[botfactory.accounts.banned_phrases.require_sane],
                        verbose_name="banned phrases",
                    ),
                ),
                ("tier_recipes", models.JSONField(default=dict, editable=False, verbose_name="recipes")),
            ],
            options={
                "verbose_name": "house rules",
                "verbose_name_plural": "house rules",
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_row_of_house_rules")],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name="id"
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, unique=True, verbose_name="digest")),
                (
                    "note",
                    models.CharField(
                        blank=True,
                        help_text="Who it is for. Only administrators see this.",
                        max_length=200,
                        verbose_name="note",
                    ),
                ),
                (
                    "uses",
                    models.PositiveIntegerField(
                        default=1, help_text="How many people can sign up with it.", verbose_name="people"
                    ),
                ),
                ("used", models.PositiveIntegerField(default=0, editable=False, verbose_name="signed up")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created"),
                ),
                (
                    "expires_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Leave empty if it should never expire.",
                        null=True,
                        verbose_name="expires",
                    ),
                ),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked")),
                (
                    "by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "ordering": ["-created_at"],
            },
        ),
        migrations.AddField(
            model_name="user",
            name="invitation",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="guests",
                to="accounts.invitation",
                verbose_name="invitation",
            ),
        ),
        migrations.CreateModel(
            name="Meter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=32)),
                ("period", models.CharField(max_length=10)),
                ("amount", models.PositiveBigIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="meters", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Notifications",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("training_succeeded", models.BooleanField(default=False, verbose_name="when a training is done")),
                ("training_failed", models.BooleanField(default=False, verbose_name="when a training fails")),
                ("language", models.CharField(blank=True, max_length=16, verbose_name="language")),
                ("site", models.CharField(blank=True, max_length=300, verbose_name="address of the pages")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notifications",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "notifications",
                "verbose_name_plural": "notifications",
            },
        ),
        migrations.CreateModel(
            name="PersonalLimits",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "unlimited",
                    models.BooleanField(
                        default=False,
                        help_text="This person has no limits, whatever the fields below say.",
                        verbose_name="no limits",
                    ),
                ),
                ("queued_jobs", models.PositiveIntegerField(blank=True, null=True, verbose_name="waiting jobs")),
                ("running_jobs", models.PositiveIntegerField(blank=True, null=True, verbose_name="running jobs")),
                (
                    "training_minutes_a_day",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="minutes of training per day"),
                ),
                ("corpora", models.PositiveIntegerField(blank=True, null=True, verbose_name="corpora")),
                ("trained_models", models.PositiveIntegerField(blank=True, null=True, verbose_name="bots")),
                ("stored_mb", models.PositiveIntegerField(blank=True, null=True, verbose_name="storage (MB)")),
                (
                    "x_posts_a_month",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="posts bought from X per month"),
                ),
                (
                    "requests_a_minute",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="API requests per minute"),
                ),
                ("webhooks", models.PositiveIntegerField(blank=True, null=True, verbose_name="webhooks")),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="limits",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "limits",
                "verbose_name_plural": "limits",
            },
        ),
        migrations.CreateModel(
            name="SecurityEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True, default=django.utils.timezone.now, verbose_name="time")),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("signed_in", "Signed in"),
                            ("sign_in_failed", "Wrong password"),
                            ("sign_in_refused", "Right password, but deactivated"),
                            ("code_failed", "Wrong two-factor code"),
                            ("password_changed", "Password changed"),
                            ("password_reset", "Password reset with a link"),
                            ("reset_link_made", "Reset link created"),
                            ("token_made", "API token created"),
                            ("token_revoked", "API token revoked"),
                            ("two_factor_on", "Two-factor turned on"),
                            ("two_factor_off", "Two-factor turned off"),
                            ("codes_made", "Recovery codes created"),
                            ("address_changed", "Email address changed"),
                            ("roles_changed", "Roles changed"),
                            ("deactivated", "Deactivated"),
                            ("activated", "Activated"),
                            ("deleted", "Account deleted"),
                        ],
                        max_length=24,
                        verbose_name="action",
                    ),
                ),
                ("who_name", models.CharField(blank=True, max_length=150, verbose_name="account")),
                ("by_name", models.CharField(blank=True, max_length=150, verbose_name="by")),
                ("address", models.GenericIPAddressField(blank=True, null=True, verbose_name="address")),
                ("times", models.PositiveIntegerField(default=1, verbose_name="times")),
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
                "verbose_name": "security log entry",
                "verbose_name_plural": "security log entries",
                "ordering": ["-at", "-pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_founder", True)), fields=("is_founder",), name="one_founder"
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.UniqueConstraint(fields=("user", "name", "period"), name="meter_once"),
        ),
        migrations.AddIndex(
            model_name="securityentry",
            index=models.Index(fields=["who", "action", "at"], name="security_of_an_account"),
        ),
    ]
