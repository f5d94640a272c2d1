"""HTTPS=true sets everything that belongs to it, and DEBUG error pages show no secrets of the settings."""

from __future__ import annotations

import runpy
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.views.debug import technical_500_response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import botfactory.env
from botfactory.asgi import application
from botfactory.edge.connections import Bounds
from botfactory.edge.server import server
from botfactory.env import MailServer
from botfactory.web import debug_page

ADDRESS = "bots.example.org"


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    """Return the settings of a product with this environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(Path(botfactory.env.__file__).with_name("settings.py")))


def use(settings: LazySettings, found: dict[str, Any]) -> None:
    for name in ("HTTPS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "ALLOWED_HOSTS", "SECURE_PROXY_SSL_HEADER"):
        setattr(settings, name, found[name])
    for name in ("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECRET_KEY"):
        setattr(settings, name, found[name])


def test_with_https_the_check_of_a_deployment_finds_nothing(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, read(monkeypatch, HTTPS="true", ALLOWED_HOSTS=ADDRESS, SECRET_KEY="".join(map(chr, range(48, 118)))))
    found = run_checks(include_deployment_checks=True)
    assert [message.id for message in found if not message.is_silenced()] == []


def test_with_https_plain_http_is_sent_on_and_browsers_remember_it(
    db: None, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, read(monkeypatch, HTTPS="true", ALLOWED_HOSTS=ADDRESS))
    client = Client(headers={"Host": ADDRESS})
    answer = client.get("/accounts/login/?next=/jobs/")
    assert (answer.status_code, answer["Location"]) == (301, f"https://{ADDRESS}/accounts/login/?next=/jobs/")
    answer = client.get("/accounts/login/", headers={"X-Forwarded-Proto": "https"})
    assert (answer.status_code, answer["Strict-Transport-Security"]) == (200, "max-age=31536000")
    # Probes come over plain HTTP, from the machine itself.
    assert client.get("/healthz").status_code == 200


def test_sending_on_and_remembering_are_settings_and_need_https(monkeypatch: pytest.MonkeyPatch) -> None:
    without = read(monkeypatch, HTTPS="false", HTTPS_REDIRECT="true", HSTS_SECONDS="60")
    assert (without["SECURE_SSL_REDIRECT"], without["SECURE_HSTS_SECONDS"]) == (False, 0)
    chosen = read(monkeypatch, HTTPS="true", HTTPS_REDIRECT="false", HSTS_SECONDS="60")
    assert (chosen["SECURE_SSL_REDIRECT"], chosen["SECURE_HSTS_SECONDS"]) == (False, 60)


def test_the_web_process_believes_the_proxies_of_the_setting(settings: LazySettings) -> None:
    def believed() -> ProxyHeadersMiddleware:
        hosts = server(application, Bounds(most=1, by_address=1)).config.forwarded_allow_ips
        return ProxyHeadersMiddleware(application, trusted_hosts=hosts)

    assert "127.0.0.1" in believed().trusted_hosts and "172.18.0.1" not in believed().trusted_hosts
    settings.FORWARDED_ALLOW_IPS = [ip_network("172.16.0.0/12")]
    assert "172.18.0.1" in believed().trusted_hosts and "127.0.0.1" not in believed().trusted_hosts
    settings.FORWARDED_ALLOW_IPS = []
    assert "127.0.0.1" not in believed().trusted_hosts


def test_the_error_page_of_debug_shows_no_secret(settings: LazySettings) -> None:
    secrets = {"key": "a-secret-key-'&-of-ours", "db": "p@ss:w/rd1", "redis": "redis-pass-2", "mail": "mail <pass> 3"}
    settings.DEBUG = True
    settings.SECRET_KEY = secrets["key"]
    settings.DATABASE_URL = "postgres://bots:p%40ss%3Aw%2Frd1@db.lan:5432/bots"
    settings.REDIS_URL = settings.CELERY_BROKER_URL = f"redis://:{secrets['redis']}@redis.lan:6379/0"
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [settings.REDIS_URL]}}}
    settings.SOMETHING_ELSE = ["https://me:other-pass-4@example.org/path"]
    settings.MAIL_SERVER = MailServer("mail.lan", 465, "bots", secrets["mail"], "implicit")
    settings.METRICS_TOKEN, settings.X_BEARER_TOKEN = "metrics-token-5", "bearer-token-6"
    request = RequestFactory().post("/accounts/login/", {"login": "alice", "password": "typed-pass-7"})
    seen = [secrets["db"], settings.DATABASE_URL, f"connecting with {secrets['mail']!r}", *secrets.values()]
    page = error_page(request, seen, f"cannot connect to {settings.REDIS_URL}")
    assert "cannot connect to" in page and "SOMETHING_ELSE" in page and "STATIC_URL" in page
    shown = ["-of-ours", "ss:w", "ss%3Aw", "redis-pass-2", "pass&gt; 3", "pass> 3", "other-pass-4"]
    shown += ["metrics-token-5", "bearer-token-6", "typed-pass-7"]
    assert [text for text in shown if text in page] == []


def test_short_and_missing_secrets_leave_the_page_as_it_is(settings: LazySettings) -> None:
    settings.SECRET_KEY, settings.DATABASE_URL, settings.REDIS_URL = "a" * 50, "", "redis://:abc@localhost/0"
    assert debug_page.without_secrets("abc, and nothing else") == "abc, and nothing else"


# Down here, because the page shows the lines around each call.


def error_page(request: HttpRequest, seen: list[str], message: str) -> str:
    """Return the DEBUG page for an error where `seen` is a local variable."""
    try:
        raise ValueError(message)
    except ValueError:
        return technical_500_response(request, *sys.exc_info()).content.decode()
