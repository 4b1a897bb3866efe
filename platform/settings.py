"""One settings file, read from the environment only. `docs/operating.md` explains each variable."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from assay.platform.keyfile import read_or_make

ROOT = Path(__file__).resolve().parent.parent


class SettingError(Exception):
    """An environment variable holds a value that the platform cannot use."""


def _word(name: str, default: str, allowed: set[str]) -> str:
    value = os.environ.get(name, "").strip().lower() or default
    if value not in allowed:
        raise SettingError(f"{name} must be one of {', '.join(sorted(allowed))}; it is {value!r}")
    return value


def _whole_number(name: str) -> int:
    value = os.environ.get(name, "").strip() or "0"
    if not value.isdecimal():
        raise SettingError(f"{name} must be a whole number; it is {value!r}")
    return int(value)


def _list(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def _database(url: str) -> dict[str, object]:
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "assay.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                # A reader never waits in WAL; a writer that knows it will write takes its place in the queue at once.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise SettingError(f"ASSAY_DATABASE_URL must start with postgres://; its scheme is {parts.scheme!r}")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        # A connection that a restart of the server has ended is found out before a request or a shard is given it.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # A worker's eight shards have three threads each.
            "pool": {"min_size": 1, "max_size": 32, "timeout": 20},
            # Whoever stands still within a transaction does not keep its locks: a shard is taken over in ten seconds.
            "options": "-c idle_in_transaction_session_timeout=6000",
            **dict(parse_qsl(parts.query)),
        },
    }


DATA_DIR = Path(os.environ.get("ASSAY_DATA_DIR", "data")).resolve()

AUTH = _word("ASSAY_AUTH", "off", {"on", "off"}) == "on"
PROXIES = _whole_number("ASSAY_PROXIES")
"""How many proxies requests come through, each of which says in ``X-Forwarded-For`` whom it answers."""
OIDC_ISSUER = os.environ.get("ASSAY_OIDC_ISSUER", "").strip()
"""An identity provider, by the address that its tokens name; none by default."""
OIDC_CLIENT_ID = os.environ.get("ASSAY_OIDC_CLIENT_ID", "").strip()
OIDC_CLIENT_SECRET = os.environ.get("ASSAY_OIDC_CLIENT_SECRET", "").strip()
OIDC_NAME_CLAIM = os.environ.get("ASSAY_OIDC_NAME_CLAIM", "").strip() or "email"
OIDC_ADMINS = os.environ.get("ASSAY_OIDC_ADMINS", "").strip()
"""``claim=value``, such as ``groups=assay-admins``: who administers the platform, where the provider is to say it."""
HTTPS = _word("ASSAY_HTTPS", "off", {"on", "off"}) == "on"
"""People come by https://, whatever the last proxy speaks to us."""
AUDIT_GUARDED = True
"""The database refuses to change the audit. Tests that empty all tables do without."""
LOG_FORMAT = _word("ASSAY_LOG_FORMAT", "text", {"text", "json"})
ACCESS_LOG = _word("ASSAY_ACCESS_LOG", "on" if LOG_FORMAT == "json" else "off", {"on", "off"}) == "on"
EGRESS_ALLOW = _list("ASSAY_EGRESS_ALLOW")
EGRESS_DENY = _list("ASSAY_EGRESS_DENY")
INFERENCE_URL = os.environ.get("ASSAY_INFERENCE_URL", "").strip()
"""Where models are that a v1 body names by their name alone; none by default."""
ENCRYPTION_KEYS = _list("ASSAY_ENCRYPTION_KEYS")
"""Base64 keys for secrets, newest first. Empty: `secrets/vault.py` keeps one in the data folder."""

DEBUG = False
SECRET_KEY = os.environ.get("ASSAY_SECRET_KEY") or read_or_make(DATA_DIR / "keys" / "session.key")
# With no sign-in, only requests that name this machine are answered: a web page that points its own host name here
# (DNS rebinding) gets nothing.
LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
"""Always allowed: probes come by these names."""
ALLOWED_HOSTS = [*(_list("ASSAY_ALLOWED_HOSTS") or (["*"] if AUTH else [])), *LOOPBACK]

INSTALLED_APPS = [
    "assay.ui",  # before the theme: some of its templates and scripts are replaced
    "unfold.apps.BasicAppConfig",
    "assay.ui.apps.TablesConfig",  # Django's admin; urls.py finds the apps' admins: only the web server has any
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "axes",
    "assay.platform",
    "assay.workspaces",
    "assay.accounts",
    "assay.secrets",
    "assay.filesets",
    "assay.evaluator",
    "assay.jobs",
    "assay.operations",
]
MIDDLEWARE = [
    "assay.platform.requests_seen.RequestsSeenMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "assay.ui.policy.PagePolicyMiddleware",
    "assay.platform.auth.SameOriginMiddleware",
    "assay.platform.v1_paths.OptionalSlashMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "assay.accounts.calling.CallerMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # answers where an address is locked out
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 20
"""Failed sign-ins of one address in ``AXES_COOLOFF_TIME``; then nobody signs in from there until that is over."""
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_CLIENT_IP_CALLABLE = "assay.platform.auth.client_address"
AXES_LOCKOUT_CALLABLE = "assay.accounts.throttle.locked_out"
AXES_USERNAME_CALLABLE = "assay.accounts.throttle.no_name"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "password", "csrfmiddlewaretoken"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
ROOT_URLCONF = "assay.platform.urls"
WSGI_APPLICATION = "assay.platform.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "platform" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": _database(os.environ.get("ASSAY_DATABASE_URL", ""))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024
"""JSON bodies (an inline dataset may be one); files are streamed and have no such limit."""
QUOTA_BYTES = _whole_number("ASSAY_QUOTA_BYTES") or None
QUOTA_JOBS = _whole_number("ASSAY_QUOTA_JOBS") or None
QUOTA_ROWS = _whole_number("ASSAY_QUOTA_ROWS") or None
"""What each workspace may use, unless `manage.py quota` says another: see `workspaces/quotas.py`."""
MAX_FILE_BYTES = _whole_number("ASSAY_MAX_FILE_BYTES") or None
"""The largest file that is taken; none by default."""
HUB_UPLOAD_MODE = _word("ASSAY_HUB_UPLOAD_MODE", "auto", {"auto", "regular", "lfs"})
"""What the Hub's clients are told to do with large files: see `filesets/hub/policy.py`."""
HUB_LFS_PART_BYTES = _whole_number("ASSAY_HUB_LFS_PART_BYTES")
"""In parts of this size large files are sent, where a proxy caps bodies; 0: each in one piece."""
HUB_LFS_BYTES = _whole_number("ASSAY_HUB_LFS_BYTES") or 10_000_000
"""Files beyond it are large ones (LFS) to the Hub's clients, whether they send them or find them."""
FILE_UPLOAD_TEMP_DIR = None
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 60 * 60
"""Seconds after which one signs in again."""
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and PROXIES else None
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["assay.platform.renderer.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "assay.platform.renderer.AlwaysJSON",
    "DEFAULT_AUTHENTICATION_CLASSES": ["assay.platform.auth.KnownCaller"],
    "DEFAULT_PERMISSION_CLASSES": ["assay.platform.auth.Admitted"],
    "DEFAULT_SCHEMA_CLASS": "assay.platform.openapi_document.WireSchema",  # imported only to make the document
    "EXCEPTION_HANDLER": "assay.platform.errors.envelope",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
VERSION = "0.1.0"
SPECTACULAR_SETTINGS = {
    "TITLE": "Assay",
    "DESCRIPTION": "Judges LLM output with LLM judges, and checks the judges against people.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",  # whose schemas are those that pydantic writes
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": False,
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": [],
}
UNFOLD = {
    "SITE_TITLE": "Assay",
    "SITE_HEADER": "Assay",
    "SITE_SUBHEADER": "Judges, checked against people",
    "SITE_URL": "/admin/",
    "SITE_SYMBOL": "balance",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"navigation": "assay.ui.navigation.menu"},
}

# The broker only wakes workers with an id: losing it delays, never loses.
BROKER_URL = os.environ.get("ASSAY_BROKER_URL", "")
EMBEDDED_BROKER = not BROKER_URL
if BROKER_URL and urlsplit(BROKER_URL).scheme not in {"redis", "rediss"}:
    raise SettingError(f"ASSAY_BROKER_URL must start with redis://; its scheme is {urlsplit(BROKER_URL).scheme!r}")


def _keys() -> list[str]:
    """Return the values of the settings that no log line may show."""
    password, broker = DATABASES["default"].get("PASSWORD"), urlsplit(BROKER_URL).password
    return [str(key) for key in (SECRET_KEY, *ENCRYPTION_KEYS, password, broker) if key]


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {
            "()": "assay.platform.journal.TextFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
        "json": {"()": "assay.platform.journal.JSONFormatter"},
    },
    "filters": {"about": {"()": "assay.platform.journal.About", "conceal": _keys()}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["about"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "assay.jobs.states": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},  # what huggingface_hub uses; a hub's addresses may be signed
        "axes": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
        "kombu.connection": {"level": "ERROR"},
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
