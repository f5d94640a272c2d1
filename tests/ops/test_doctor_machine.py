"""What `manage.py doctor` says about the machine: its database, settings, files and disk."""

from __future__ import annotations

import re
import resource
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from botfactory.accounts.models import User
from botfactory.ops import components, machine, setting_checks
from botfactory.ops.checks import Report
from botfactory.sqlite_file.log import ForeignLog
from models_app.bots.rows import TrainedModel
from tests.models_app.conftest import base as base
from tests.ops.helpers import Examine, failing, told

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("strong_key"), pytest.mark.differs]


def test_a_database_behind_its_version_is_told_and_left_alone(examine: Examine) -> None:
    if MigrationRecorder.Migration._meta.db_table not in connection.introspection.table_names():
        pytest.skip("the tables of this run were made without migrations")
    newest = MigrationRecorder.Migration.objects.filter(app="jobs").latest("pk")
    newest.delete()
    try:
        for _ in range(2):
            assert f"migrations to apply: 1 (jobs {newest.name})" in told(examine("database"), "problem")
    finally:
        MigrationRecorder(connection).record_applied("jobs", newest.name)
    assert "all migrations are applied" in told(examine("database"), "ok")


def test_a_damaged_sqlite_file_is_found(tmp_path: Path, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("another database")
    file = tmp_path / "damaged.sqlite3"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE t (x TEXT)")
        made.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
        made.execute("CREATE INDEX i ON t (x)")
    made.close()
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    file.write_bytes(bytes(data))
    damaged = sqlite3.connect(file)
    monkeypatch.setattr(connection, "cursor", lambda: _Closing(damaged))
    from botfactory.ops.service_checks import _sqlite

    report = Report("database", [])
    _sqlite(report)
    damaged.close()
    text = told(report.findings)
    assert "is damaged" in text and "restore the database from a backup" in text
    assert "journal mode is delete instead of wal" in text


def test_data_in_the_log_and_its_age_are_told(examine: Examine, alice: User) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("another database")
    # Whoever closes the last connection empties the log.
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as another:
        another.execute("SELECT count(*) FROM accounts_user")
        User.objects.update(last_login=datetime(2031, 5, 4, 3, 2, tzinfo=UTC))
        found = told(examine("database"), "ok")
    assert "the newest sign-in or event of a job is from 2031-05-04 03:02 UTC" in found
    assert re.search(
        r"intact \(quick_check\), with the newest .*B in .*sqlite3.*-wal, which a copy needs, too", found
    ), found


def test_a_log_of_another_database_is_told(examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ForeignLog(tmp_path / "botfactory.sqlite3", "it's for 9 pages, and the database has 8")
    monkeypatch.setattr(components, "database", failing(foreign))
    assert "has 8. Nothing was changed → if you restored the database" in told(examine("database"), "problem")


class _Closing:
    """Replace Django's cursor by one of another SQLite file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.cursor = database.cursor()

    def __enter__(self) -> sqlite3.Cursor:
        return self.cursor

    def __exit__(self, *args: object) -> None:
        self.cursor.close()


def test_settings_of_one_machine_are_safe(examine: Examine, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    assert not setting_checks.is_public()
    assert not told(examine("settings"), "warning", "problem")


def test_settings_that_are_unsafe_in_public_are_told(examine: Examine, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.DEBUG = True
    settings.SECRET_KEY = "django-insecure-short"
    settings.CORS_ALLOW_ALL_ORIGINS = True
    settings.METRICS_TOKEN = "short"
    settings.METRICS_ADDRESSES = [ip_network("0.0.0.0/0")]
    findings = examine("settings")
    problems, warnings = told(findings, "problem"), told(findings, "warning")
    for text in ("ALLOWED_HOSTS is *", "security.W018", "security.W009", "METRICS_TOKEN is too short"):
        assert text in problems, text
    for text in ("without HTTPS", "API_CORS_ORIGINS is *", "lets everybody read the metrics", "security.W012"):
        assert text in warnings, text
    assert "django-insecure" not in told(findings).replace("'django-insecure-'", "")


def test_behind_a_proxy_with_https_nothing_is_left_to_warn_of(examine: Examine, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["bots.example.org"]
    settings.HTTPS = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    findings = examine("settings")
    assert not told(findings, "warning", "problem")
    assert "security.W008 is up to the proxy" in told(findings, "ok")


def test_files_that_others_can_read_are_told(examine: Examine, settings: Any, tmp_path: Path) -> None:
    settings.BOTFACTORY_HOME = settings.BASE_DIR = settings.CHECKPOINTS_DIR = tmp_path
    (tmp_path / "users").mkdir(0o700)
    (tmp_path / "secret_key").touch(0o600)
    (tmp_path / ".env").touch(0o600)
    tmp_path.chmod(0o700)
    assert not told(examine("files"), "warning", "problem")
    (tmp_path / "secret_key").chmod(0o640)
    (tmp_path / ".env").chmod(0o644)
    (tmp_path / "users").chmod(0o755)
    tmp_path.chmod(0o755)
    findings = examine("files")
    assert f"chmod 600 {tmp_path / 'secret_key'}" in told(findings, "problem")
    warnings = told(findings, "warning")
    assert f"chmod 700 {tmp_path}" in warnings and f"chmod 600 {tmp_path / '.env'}" in warnings
    assert f"chmod 700 {tmp_path / 'users'}" in warnings
    tmp_path.chmod(0o777)
    assert f"chmod 700 {tmp_path}" in told(examine("files"), "problem")


def test_little_room_on_the_disk_is_told(base: TrainedModel, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not told(examine("disk"), "problem")
    monkeypatch.setattr(machine, "LITTLE", 10**18)
    assert "its disk has" in told(examine("disk"), "warning")
    monkeypatch.setattr(machine, "TOO_LITTLE", 10**18)
    assert "its disk has" in told(examine("disk"), "problem")


def test_libraries_of_the_pages_that_are_missing_are_told(examine: Examine, settings: Any, tmp_path: Path) -> None:
    settings.PAGE_LIBRARIES = {"vendor/pico": tmp_path / "nothing"}
    assert "run `make setup`" in told(examine("pages"), "problem")


@pytest.mark.parametrize(
    ("hard", "level", "found"),
    [
        (1_024, "warning", "only 512 connections at once"),
        (4_000, "ok", "2,000"),
        (resource.RLIM_INFINITY, "ok", "2,000"),
    ],
)
def test_too_few_files_for_all_connections_are_told(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, hard: int, level: str, found: str
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, hard))
    assert found in told(examine("connections"), level)
