from __future__ import annotations

import stat
import threading
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from botfactory import env
from tweets.sources.registry import networks


def test_a_wrong_truth_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="DEBUG='perhaps'"):
        env.env_bool("DEBUG", False)


@pytest.mark.parametrize(("value", "truth"), [("", True), ("no", False), ("TRUE", True), ("0", False)])
def test_truths(monkeypatch: pytest.MonkeyPatch, value: str, truth: bool) -> None:
    monkeypatch.setenv("DEBUG", value)
    assert env.env_bool("DEBUG", True) is truth


@pytest.mark.parametrize("value", ["many", "1.5", "-1"])
def test_a_wrong_number_names_the_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MAX_UPLOAD_MB", value)
    with pytest.raises(ImproperlyConfigured, match="MAX_UPLOAD_MB"):
        env.env_int("MAX_UPLOAD_MB", 10)


@pytest.mark.parametrize("value", ["many", "-0.01", "NaN", "Infinity", "1,5"])
def test_a_wrong_price_names_the_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("X_POST_PRICE", value)
    with pytest.raises(ImproperlyConfigured, match="X_POST_PRICE"):
        env.env_decimal("X_POST_PRICE", "0.005")


def test_prices_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.env_decimal("X_POST_PRICE", "0.005") * 3200 == 16
    monkeypatch.setenv("X_POST_PRICE", "0")
    assert env.env_decimal("X_POST_PRICE", "0.005") == 0


@pytest.mark.parametrize("value", ["social.lan", "ftp://social.lan", "http://", "http://a:port", "http://a,b"])
def test_a_wrong_address_names_the_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PRIVATE_SERVERS", value)
    with pytest.raises(ImproperlyConfigured, match="PRIVATE_SERVERS"):
        env.env_servers("PRIVATE_SERVERS")


def test_addresses_come_without_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE_SERVERS", "http://social.lan:3000/, https://b.example")
    assert env.env_servers("PRIVATE_SERVERS") == ["http://social.lan:3000", "https://b.example"]
    assert env.env_server("BLUESKY_API_URL", "https://public.api.bsky.app") == "https://public.api.bsky.app"


@dataclass(frozen=True)
class Pigeon:
    token: str = field(default="", repr=False)
    api_url: str = "https://pigeon.example"
    feathers: int = 12
    price: Decimal = Decimal("0.5")
    is_grey: bool = True
    loft: str = "roof"


def test_settings_of_a_source_come_from_its_description(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read() -> dict[str, object]:
        return env.env_fields(Pigeon, lambda name: f"PIGEON_{name.upper()}")

    assert read() == {f"PIGEON_{each.name.upper()}": each.default for each in fields(Pigeon)}
    (tmp_path / "token").write_text("secret\n")
    given = {"TOKEN_FILE": str(tmp_path / "token"), "API_URL": "http://a.example/", "FEATHERS": "3", "PRICE": "0.25"}
    for name, value in {**given, "IS_GREY": "no", "LOFT": "barn"}.items():
        monkeypatch.setenv(f"PIGEON_{name}", value)
    assert list(read().values()) == ["secret", "http://a.example", 3, Decimal("0.25"), False, "barn"]
    for name, value in {"FEATHERS": "many", "PRICE": "-1", "API_URL": "pigeon", "IS_GREY": "perhaps"}.items():
        with monkeypatch.context() as patch:
            patch.setenv(f"PIGEON_{name}", value)
            with pytest.raises(ImproperlyConfigured, match=f"PIGEON_{name}"):
                read()


def test_each_setting_of_a_network_is_read_as_its_description_says() -> None:
    for network in networks().values():
        for each in fields(network.settings) if network.settings else ():
            assert type(getattr(settings, network.setting_of(each.name))) is type(each.default)
    assert settings.NETWORK_SECRETS == ["X_BEARER_TOKEN"]


@pytest.mark.parametrize("value", ["example.com", "https://example.com/page", "null"])
def test_an_origin_is_no_page_and_no_bare_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("API_CORS_ORIGINS", value)
    with pytest.raises(ImproperlyConfigured, match="API_CORS_ORIGINS"):
        env.env_origins("API_CORS_ORIGINS")


def test_origins_are_as_browsers_send_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.env_origins("API_CORS_ORIGINS") == []
    monkeypatch.setenv("API_CORS_ORIGINS", "https://Example.com/, http://localhost:5173")
    assert env.env_origins("API_CORS_ORIGINS") == ["https://example.com", "http://localhost:5173"]
    monkeypatch.setenv("API_CORS_ORIGINS", "*")
    assert env.env_origins("API_CORS_ORIGINS") == ["*"]


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n", encoding="utf-8")
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "token"))
    assert env.env_secret("TOKEN") == "abc"
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="TOKEN_FILE"):
        env.env_secret("TOKEN")


def test_first_starts_at_once_agree_on_one_secret_that_others_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret_key"
    secrets: set[str] = set()
    threads = [threading.Thread(target=lambda: secrets.add(env.stored_secret(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 1 and len(secrets.pop()) > 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_networks_are_addresses_ranges_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [str(network) for network in env.env_networks("METRICS_ADDRESSES", ["::1"])] == ["::1/128"]
    monkeypatch.setenv("METRICS_ADDRESSES", "10.0.0.7, 10.1.0.0/16")
    assert [str(network) for network in env.env_networks("METRICS_ADDRESSES", [])] == ["10.0.0.7/32", "10.1.0.0/16"]
    monkeypatch.setenv("METRICS_ADDRESSES", "none")
    assert env.env_networks("METRICS_ADDRESSES", ["::1"]) == []


@pytest.mark.parametrize("value", ["localhost", "10.0.0.7/8", "10.0.0.0/33", "*"])
def test_a_wrong_network_names_the_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("METRICS_ADDRESSES", value)
    with pytest.raises(ImproperlyConfigured, match="METRICS_ADDRESSES"):
        env.env_networks("METRICS_ADDRESSES", [])


def test_celery_gets_a_socket_in_its_own_spelling() -> None:
    assert env.celery_broker_url("unix:///run/valkey.sock") == "redis+socket:///run/valkey.sock"
    assert env.celery_broker_url("redis://host:6379/3") == "redis://host:6379/3"
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        env.celery_broker_url("amqp://host")


def test_a_deep_home_still_gets_a_socket_that_the_kernel_takes(tmp_path: Path) -> None:
    url = env.default_redis_url(tmp_path / ("deep" * 40))
    assert len(url) < 120
    assert url == env.default_redis_url(tmp_path / ("deep" * 40))
