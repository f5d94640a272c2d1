"""Every setting of the product. Each variable read here is documented in docs/configuration.md and .env.example."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF

from botfactory.env import (
    celery_broker_url,
    database_of,
    default_redis_url,
    env_bool,
    env_choice,
    env_fields,
    env_hosts,
    env_int,
    env_limit,
    env_mail,
    env_networks,
    env_origins,
    env_path,
    env_pauses,
    env_secret,
    env_server,
    env_servers,
    env_str,
    read_env_file,
    stored_secret,
)
from tweets.sources.registry import networks

BASE_DIR = Path(__file__).resolve().parent.parent
read_env_file(BASE_DIR / ".env")
# Classes such as ModelAdmin[Job] are subscripted for the type checker.
django_stubs_ext.monkeypatch()

# Storage
BOTFACTORY_HOME = env_path("BOTFACTORY_HOME", BASE_DIR / "var")
# The base models that the product ships, for a CHECKPOINTS_DIR elsewhere that has none
SHIPPED_DIR = BASE_DIR / "checkpoints"
CHECKPOINTS_DIR = env_path("CHECKPOINTS_DIR", SHIPPED_DIR)
# Files of posts for training and evaluating base models
TRAINING_DIR = env_path("TRAINING_DIR", BOTFACTORY_HOME / "training")
# Files of any format that an administrator can prepare a corpus of
UPLOADS_DIR = BOTFACTORY_HOME / "uploads"
JOBS_DIR = BOTFACTORY_HOME / "jobs"
LOGS_DIR = BOTFACTORY_HOME / "logs"

# Access
DEBUG = env_bool("DEBUG", False)
SECRET_KEY = env_secret("SECRET_KEY") or stored_secret(BOTFACTORY_HOME / "secret_key")
ALLOWED_HOSTS = env_hosts("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
HTTPS = env_bool("HTTPS", False)
# The proxies whose X-Forwarded-For uvicorn believes
FORWARDED_ALLOW_IPS = env_networks("FORWARDED_ALLOW_IPS", ["127.0.0.1", "::1"])
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS and env_bool("HTTPS_REDIRECT", True)
SECURE_HSTS_SECONDS = env_int("HSTS_SECONDS", 365 * 24 * 3600, minimum=0) if HTTPS else 0
# HSTS for subdomains and for the lists in browsers is the operator's decision.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# DEBUG error pages show no secrets.
DEFAULT_EXCEPTION_REPORTER = "botfactory.web.debug_page.QuietReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "botfactory.web.debug_page.HiddenSettings"
CSRF_TRUSTED_ORIGINS = [f"https://{host.lstrip('.')}" for host in ALLOWED_HOSTS if host != "*"] if HTTPS else []
# Pages of other sites that may call the API, always with a token: the session's cookie is never sent along.
cors_origins = env_origins("API_CORS_ORIGINS")
CORS_ALLOW_ALL_ORIGINS = "*" in cors_origins
CORS_ALLOWED_ORIGINS = [origin for origin in cors_origins if origin != "*"]
CORS_URLS_REGEX = r"^/api/(?!docs$)"
CORS_ALLOW_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
CORS_ALLOW_HEADERS = [
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "Allow",
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
]
CORS_PREFLIGHT_MAX_AGE = 600
# Who can read /metrics: these addresses, and everybody with the token
METRICS_ADDRESSES = env_networks("METRICS_ADDRESSES", ["127.0.0.0/8", "::1"])
METRICS_TOKEN = env_secret("METRICS_TOKEN")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "botfactory.accounts",
    "botfactory.jobs",
    "botfactory.ops",
    "botfactory.rest",
    "botfactory.webhooks",
    "tweets",
    "models_app",
    "publishing",
    "botfactory.your_data",
    "channels",
    "corsheaders",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "ninja",
    "botfactory.accounts.apps.HouseAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "botfactory.rest.middleware.request_id",
    "botfactory.ops.middleware.probes_and_counts",
    "corsheaders.middleware.CorsMiddleware",
    "botfactory.rest.middleware.one_shape",
    "django.middleware.security.SecurityMiddleware",
    "botfactory.edge.files.static_files",
    "csp.middleware.CSPMiddleware",
    "botfactory.edge.permissions.unused_features_off",
    # Before everything that answers with text.
    "django.middleware.locale.LocaleMiddleware",
    "botfactory.accounts.middleware.kept_nowhere",
    "botfactory.accounts.middleware.one_reading_of_the_rules",
    "botfactory.edge.refusals.refused_bodies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "botfactory.accounts.visitors.VisitorsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "botfactory.edge.wrong_method.told_on_a_page",
    "botfactory.edge.after_sign_in.back_to_the_form",
    "botfactory.edge.head.head_as_get",
]

ROOT_URLCONF = "botfactory.urls"
ASGI_APPLICATION = "botfactory.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.i18n",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "botfactory.accounts.rules.for_pages",
                "botfactory.web.themes.for_pages",
            ],
            "builtins": ["botfactory.web.template_pictures", "botfactory.web.template_words"],
        },
    }
]

# Database: SQLite for one machine, or Postgres if DATABASE_URL is set
DATABASE_URL = env_secret("DATABASE_URL")
if DATABASE_URL:
    DATABASES = {"default": database_of("DATABASE_URL", DATABASE_URL)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "botfactory.sqlite_file",
            "NAME": str(BOTFACTORY_HOME / "botfactory.sqlite3"),
            "OPTIONS": {
                # IMMEDIATE: a transaction that writes waits for its turn instead of failing halfway.
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;",
            },
            # A file, as in production, because databases in memory don't wait for locks.
            "TEST": {"NAME": str(BOTFACTORY_HOME / "test.sqlite3")},
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Broker and channel layer
REDIS_URL = env_secret("REDIS_URL") or default_redis_url(BOTFACTORY_HOME)
REDIS_IS_OURS = not env_secret("REDIS_URL")
# Seconds that a page waits for the broker, even if it hangs (doorbell.py).
BROKER_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 2}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, **BROKER_OPTIONS}], "prefix": "botfactory"},
    }
}
CELERY_BROKER_URL = celery_broker_url(REDIS_URL)
CACHES = {
    # Also counts wrong passwords. It survives a restart of the web process, and falls back to it without the broker.
    "default": {
        "BACKEND": "botfactory.broker.shared_cache.SharedCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "botfactory.default",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    },
    # Shared by all web processes. Never clear it as a whole: the broker's queues are in the same database.
    "shared": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "botfactory.cache",
        "OPTIONS": BROKER_OPTIONS,
    },
}

# Jobs
JOB_HEARTBEAT_SECONDS = env_int("JOB_HEARTBEAT_SECONDS", 5, minimum=1)
# One late heartbeat isn't a death.
min_stale = 3 * JOB_HEARTBEAT_SECONDS
JOB_STALE_SECONDS = env_int("JOB_STALE_SECONDS", max(30, min_stale), minimum=min_stale)
JOB_REAP_SECONDS = env_int("JOB_REAP_SECONDS", 10, minimum=1)
JOB_MAX_ATTEMPTS = 3
JOB_TIME_LIMIT_MINUTES = env_int("JOB_TIME_LIMIT_MINUTES", 24 * 60, minimum=1)
TRAINER_BUILDS_AHEAD = env_bool("TRAINER_BUILDS_AHEAD", True)
FLUENT = env_choice("FLUENT", "auto", ["auto", "on", "off"])
HF_ENDPOINT = env_server("HF_ENDPOINT", "https://huggingface.co")

# Limits per person (None: no limit). The administrator can change them for one person
LIMIT_QUEUED_JOBS = env_limit("LIMIT_QUEUED_JOBS", 50)
LIMIT_RUNNING_JOBS = env_limit("LIMIT_RUNNING_JOBS", 4)
LIMIT_TRAINING_MINUTES = env_limit("LIMIT_TRAINING_MINUTES", 1440)
LIMIT_CORPORA = env_limit("LIMIT_CORPORA", 200)
LIMIT_MODELS = env_limit("LIMIT_MODELS", 200)
LIMIT_STORED_MB = env_limit("LIMIT_STORED_MB", 20_000)
LIMIT_X_POSTS = env_limit("LIMIT_X_POSTS", 10_000)
LIMIT_REQUESTS = env_limit("LIMIT_REQUESTS", 300)
LIMIT_WEBHOOKS = env_limit("LIMIT_WEBHOOKS", 20)

# Writing: number of writers, the longest wait before further requests are refused, and memory per writer
GENERATIONS_AT_ONCE = env_int("GENERATIONS_AT_ONCE", 2, minimum=1)
GENERATION_WAIT_SECONDS = env_int("GENERATION_WAIT_SECONDS", 10, minimum=0)
MIN_WRITER_MEMORY_MB = 50
WRITER_MEMORY_MB = env_int("WRITER_MEMORY_MB", 500, minimum=MIN_WRITER_MEMORY_MB)
# Trainings give way to pages and writers: 0 to 19, as for the command `nice`
TRAINER_NICE = env_int("TRAINER_NICE", 10, maximum=19)

# The number format of matrix products. models_app.ml, which knows no Django, reads the variable itself.
ML_PRODUCTS = env_choice("BOTFACTORY_ML_PRODUCTS", "auto", ("auto", "bfloat16", "float32"))

# Webhooks: seconds before each further try, and days of failure after which they are switched off
WEBHOOK_PAUSES = env_pauses("WEBHOOK_PAUSES", "5,300,1800,7200,18000,36000,50400,72000,86400")
WEBHOOK_OFF_DAYS = env_int("WEBHOOK_OFF_DAYS", 5, minimum=1)
WEBHOOK_PRIVATE_SERVERS = env_servers("WEBHOOK_PRIVATE_SERVERS")

# Sharing, unless the administrator has decided otherwise (accounts.HouseRules)
PUBLIC_SHARING = env_bool("PUBLIC_SHARING", True)
OPEN_GALLERY = env_bool("OPEN_GALLERY", False)
# Whether people may publish posts of bots without the label that says that a bot wrote them
UNLABELLED_POSTS = env_bool("UNLABELLED_POSTS", False)

# Publishing on X: the keys of the operator's app (OAuth 2)
X_CLIENT_ID = env_str("X_CLIENT_ID")
X_CLIENT_SECRET = env_secret("X_CLIENT_SECRET")

# Posts
# What each network's description asks for, such as X_BEARER_TOKEN: see `settings` and `needs` in tweets/sources
NETWORK_SECRETS = []
for network in networks().values():
    if network.settings is not None:
        globals().update(env_fields(network.settings, network.setting_of))
        NETWORK_SECRETS += [network.setting_of(each.name) for each in fields(network.settings) if not each.repr]
PRIVATE_SERVERS = env_servers("PRIVATE_SERVERS")
MAX_UPLOAD_MB = env_int("MAX_UPLOAD_MB", 4096, minimum=1)
# The limit of a form without its files. The largest is pasted text.
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
# Incoming data until a view takes it. Swept at each start (edge/incoming.py).
FILE_UPLOAD_TEMP_DIR = BOTFACTORY_HOME / "incoming"
# The check that the folder exists. It is created when needed.
SILENCED_SYSTEM_CHECKS += ["files.E001"]
FILE_UPLOAD_HANDLERS = ["botfactory.edge.incoming.UploadHandler"]

# Accounts
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Who can sign up, unless the administrator has decided otherwise (accounts.HouseRules)
SIGNUP_MODE = env_choice("SIGNUP_MODE", "open", ("open", "invitation", "closed"))
ACCOUNT_ADAPTER = "botfactory.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "change_password": "botfactory.accounts.forms.NewPasswordForm",
    "login": "botfactory.accounts.forms.SignInForm",
    "reset_password_from_key": "botfactory.accounts.forms.PasswordFromLinkForm",
    "user_token": "botfactory.accounts.forms.LinkForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
# Changing email addresses asks for the password again, because mail to them can set a new one.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Mail: without a server, addresses are optional, and the administrator creates password reset links
MAIL_SERVER = env_mail("EMAIL_URL")
if MAIL_SERVER:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT = MAIL_SERVER.host, MAIL_SERVER.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL_SERVER.user, MAIL_SERVER.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL_SERVER.tls == "starttls", MAIL_SERVER.tls == "implicit"
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
DEFAULT_FROM_EMAIL = env_str("MAIL_FROM", MAIL_SERVER.user if MAIL_SERVER else "") or "botfactory@localhost"
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*" if MAIL_SERVER else "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if MAIL_SERVER else "none"
# Without mail nobody can confirm an address, so two-factor sign-in doesn't require it.
MFA_ALLOW_UNVERIFIED_EMAIL = MAIL_SERVER is None
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Bot Factory] "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_USERNAME_MIN_LENGTH = 2
ACCOUNT_RATE_LIMITS = {
    # A class shares one address, and opening a page counts, too.
    "signup": "100/m/ip",
    "login": "100/m/ip",
    # Wrong passwords and codes: per address, and per account and address (accounts.attempts)
    "login_failed": "10/m/ip,5/5m/key",
    # After this many for one account from everywhere, unknown addresses can only try one at a time.
    "login_failed_anywhere": "100/h/key",
    "login_slowed": "1/10s/key",
    # A class tries the example at once (accounts.visitors).
    "visit": "30/h/ip",
}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
ACCOUNT_SIGNUP_REDIRECT_URL = "new_corpus"
LOGOUT_REDIRECT_URL = "dashboard"
# Pages
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
FORMAT_MODULE_PATH = "botfactory.web.formats"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# Installed by npm from package-lock.json: prefix under STATIC_URL -> folder
PAGE_LIBRARIES = {
    "vendor/pico": BASE_DIR / "node_modules" / "@picocss" / "pico" / "css",
    "vendor/geist": BASE_DIR / "node_modules" / "@fontsource-variable" / "geist" / "files",
    "vendor/uplot": BASE_DIR / "node_modules" / "uplot" / "dist",
}
STATICFILES_DIRS = [BASE_DIR / "static", *PAGE_LIBRARIES.items()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "botfactory.edge.files.Storage"},
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# A line for each answered request, with its route instead of its address
ACCESS_LOG = env_bool("ACCESS_LOG", False)
LOG_LEVEL = env_choice("LOG_LEVEL", "info", ("debug", "info", "warn", "warning", "error", "critical")).upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "botfactory.rest.request_id.AddRequestId"},
        "without_traceback": {"()": "botfactory.edge.masking.WithoutTraceback"},
        "seldom": {"()": "botfactory.edge.masking.Seldom"},
    },
    "formatters": {
        "line": {
            "()": "botfactory.edge.masking.Formatter",
            "format": "{asctime} {levelname} {name} {request_id}: {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        **{
            name: {"level": LOG_LEVEL, "handlers": ["console"], "propagate": False}
            for name in ("botfactory", "tweets", "models_app", "publishing", "publishing", "django")
        },
        "botfactory.access": {"level": "INFO"},
        # Any scanner causes these.
        "django.security.DisallowedHost": {"filters": ["without_traceback"]},
        # While no more files can be opened, it tries again and again to accept connections, and logs each try.
        "asyncio": {"filters": ["seldom"]},
        # However uvicorn is started: its own access log contains full addresses.
        "uvicorn.error": {"level": "WARNING", "handlers": ["console"], "propagate": False},
        "uvicorn.access": {"level": "WARNING", "handlers": [], "propagate": False},
    },
}
