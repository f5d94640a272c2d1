from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from botfactory import env
from models_app.ml.networks.processor import wanted_products
from tests.ops.helpers import failing
from tests.ops.test_secure_settings import read
from tests.product import ROOT
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "https://bots.example.org"),
        ("ALLOWED_HOSTS", "localhost,bots.example.org:8443"),
        ("ALLOWED_HOSTS", "*.example.org"),
        ("ALLOWED_HOSTS", "::1"),
        ("BOTFACTORY_ML_PRODUCTS", "float16"),
        ("DATABASE_URL", "postgre://bots:secret@db.lan/bots"),
        ("DATABASE_URL", "postgres://bots:secret@db.lan:port/bots"),
        ("DATABASE_URL", "postgres://bots:secret@db.lan"),
        ("DATABASE_URL", "mysql://bots:secret@db.lan/bots"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("CHECKPOINTS_DIR", "~nobody-of-that-name/checkpoints"),
        ("FORWARDED_ALLOW_IPS", "proxy.lan"),
        ("JOB_STALE_SECONDS", "14"),
        ("LOG_LEVEL", "verbose"),
        ("REDIS_URL", "amqp://:secret@redis.lan"),
        ("REDIS_URL", "redis://:secret@redis.lan:port/0"),
        ("REDIS_URL", "unix://valkey.sock"),
        ("TRAINER_NICE", "50"),
    ],
)
def test_a_wrong_value_stops_the_start_with_the_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name) as caught:
        read(monkeypatch, **{name: value})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("command", ["run", "doctor", "migrate"])
def test_commands_tell_a_wrong_setting_in_a_sentence(command: str) -> None:
    environment = os.environ | {"DATABASE_URL": "postgre://bots:secret@db.lan/bots"}
    started = [sys.executable, "manage.py", command]
    done = subprocess.run(started, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith(
        "A setting is wrong: DATABASE_URL is invalid. Write postgres:"
    )
    assert len(done.stderr.splitlines()) == 1 and "secret" not in done.stderr


def test_a_service_file_can_have_the_name_of_the_database() -> None:
    found = env.database_of("DATABASE_URL", "postgres://?service=bots")
    assert found["OPTIONS"] == {"service": "bots"}


def test_a_file_of_settings_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    env.read_env_file(file)
    file.write_bytes("TOKEN_OF_A_TEST=pässword".encode("latin-1"))
    with pytest.raises(ImproperlyConfigured, match=r"\.env isn't text in UTF-8") as caught:
        env.read_env_file(file)
    assert "ssword" not in str(caught.value)
    monkeypatch.setattr(env, "load_dotenv", failing(PermissionError(13, "Permission denied")))
    with pytest.raises(ImproperlyConfigured, match=r"Can't read .*\.env: Permission denied"):
        env.read_env_file(file)


def test_right_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = "Bots.example.org,.example.net,[2001:db8::1],10.0.0.7,*"
    found = read(monkeypatch, ALLOWED_HOSTS=hosts, LOG_LEVEL="Warning", TRAINER_NICE="19", JOB_HEARTBEAT_SECONDS="60")
    assert found["ALLOWED_HOSTS"] == hosts.split(",")
    assert (found["LOG_LEVEL"], found["TRAINER_NICE"]) == ("WARNING", 19)
    # A worker may miss two heartbeats.
    assert found["JOB_STALE_SECONDS"] == 180


@pytest.mark.parametrize("value", ["auto", "bfloat16", "Float32"])
def test_products_are_read_by_the_learning_core_too(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert read(monkeypatch, BOTFACTORY_ML_PRODUCTS=value)["ML_PRODUCTS"] == wanted_products() == value.lower()


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
    (tmp_path / "token").write_bytes("pässword".encode("latin-1"))
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(ImproperlyConfigured, match=r"TOKEN_FILE=.* UTF-8") as caught:
        env.env_secret("TOKEN")
    assert "ssword" not in str(caught.value)


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


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The machine's folder for temporary files. Its path is short."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


DEEP_HOME = Path("/home") / ("deep" * 40)


def test_a_deep_home_still_gets_a_socket_that_the_kernel_takes(temporary: Path) -> None:
    url = env.default_redis_url(DEEP_HOME)
    assert len(url) < 120
    assert url == env.default_redis_url(DEEP_HOME)
    (folder,) = temporary.iterdir()
    assert url == f"unix://{folder}/valkey.sock" and stat.S_IMODE(folder.stat().st_mode) == 0o700


def of_another_account(folder: Path) -> None:
    folder.mkdir(0o700)
    os.chown(folder, 65534, 65534)


def a_link(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir(0o700)
    folder.symlink_to(folder.parent / "elsewhere")


def open_to_others(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


@pytest.mark.parametrize(
    "make",
    [
        open_to_others,
        a_link,
        pytest.param(of_another_account, marks=pytest.mark.skipif(os.getuid() != 0, reason="Only root can give away.")),
    ],
)
def test_a_folder_that_another_account_may_have_made_gets_no_socket(
    temporary: Path, make: Callable[[Path], None]
) -> None:
    folder = temporary / Path(env.default_redis_url(DEEP_HOME)).parent.name
    folder.rmdir()
    make(folder)
    with pytest.raises(ImproperlyConfigured, match="BOTFACTORY_HOME"):
        env.default_redis_url(DEEP_HOME)
