"""A write-ahead log that isn't the database's is refused, because SQLite would write it into the database."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from botfactory.sqlite_file import log
from botfactory.sqlite_file.log import ForeignLog
from tests.product import ROOT

NAME = "botfactory.sqlite3"
#: Puts another database in the place of the first one, whose log is beside it.
Replace = Callable[[Path, Path], None]


def opened(database: Path) -> sqlite3.Connection:
    made = sqlite3.connect(database, isolation_level=None)
    made.execute("PRAGMA journal_mode = WAL")
    made.execute("PRAGMA synchronous = OFF")
    return made


def add(rows: sqlite3.Connection, number: int, size: int = 500) -> None:
    for _ in range(number):
        rows.execute("INSERT INTO posts (text, likes) VALUES (hex(randomblob(?)), abs(random() % 1000))", (size,))


def start(database: Path) -> None:
    """Open the database as a start of the product does."""
    log.require_intact(str(database))
    log.count_start(str(database))
    log._known.clear()


def crashed(database: Path, folder: Path) -> Path:
    """Return the database in the folder as a crash in this moment would leave it."""
    folder.mkdir(parents=True)
    for file in database.parent.glob(f"{database.name}*"):
        shutil.copy(file, folder)
    return folder / database.name


def contents(database: Path) -> list[bytes]:
    return [file.read_bytes() for file in (database, log.log_of(database)) if file.exists()]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A database that has been stopped."""
    return made(tmp_path / "var" / NAME)


def made(database: Path) -> Path:
    database.parent.mkdir()
    with closing(opened(database)) as rows:
        rows.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, text TEXT, likes INTEGER)")
        rows.execute("CREATE INDEX by_text ON posts (text)")
        rows.execute("CREATE INDEX by_likes ON posts (likes)")
        add(rows, 50)
    start(database)
    return database


def used(house: Path, folder: Path) -> Path:
    """Return the database after a start, some use, and a crash."""
    start(house)
    with closing(opened(house)) as rows:
        add(rows, 80)
        rows.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        rows.execute("DELETE FROM posts WHERE id % 3 = 0")
        add(rows, 20)
        return crashed(house, folder)


def older(house: Path, target: Path) -> None:
    shutil.copy(house.with_name("backup"), target)


def of_another_house(house: Path, target: Path) -> None:
    shutil.copy(made(house.parent.with_name("other") / NAME), target)


def online_backup(house: Path, target: Path) -> None:
    copy = house.with_name("online")
    with closing(opened(house)) as rows, closing(sqlite3.connect(copy)) as into:
        rows.backup(into)
    shutil.copy(copy, target)


def vacuumed(house: Path, target: Path) -> None:
    copy = house.with_name("vacuumed")
    with closing(opened(house)) as rows:
        rows.execute("VACUUM INTO ?", (str(copy),))
    shutil.copy(copy, target)


def nothing(house: Path, target: Path) -> None:
    target.unlink()


@pytest.mark.parametrize("replace", [older, of_another_house, online_backup, vacuumed, nothing])
def test_the_log_of_a_database_that_was_replaced_is_refused(house: Path, tmp_path: Path, replace: Replace) -> None:
    shutil.copy(house, house.with_name("backup"))
    database = used(house, tmp_path / "crashed")
    replace(house, database)
    before = contents(database)
    with pytest.raises(ForeignLog, match=r"set the old log aside: mv .*-wal .*-wal\.old"):
        log.require_own(str(database))
    assert contents(database) == before
    # As the message says
    log.log_of(database).rename(f"{log.log_of(database)}.old")
    assert log.require_own(str(database)) is False


def test_sqlite_itself_destroys_a_backup_beside_an_old_log(house: Path, tmp_path: Path) -> None:
    backup = shutil.copy(house, tmp_path)
    database = used(house, tmp_path / "crashed")
    shutil.copy(backup, database)
    assert not is_sound(database)


def is_sound(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as rows, suppress(sqlite3.DatabaseError):
        return bool(rows.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
    return False


def test_a_crash_at_any_moment_is_taken_wherever_its_files_are(house: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    open_now = [opened(house) for _ in range(3)]
    with_a_log = 0
    for moment in range(120):
        rows = chance.choice(open_now)
        rows.execute(f"PRAGMA wal_autocheckpoint = {chance.choice([4, 30, 1000])}")
        act = chance.randrange(8)
        if act < 2:
            add(rows, 3, chance.choice([5, 6000]))
        elif act < 4:
            rows.execute("UPDATE posts SET likes = likes + 1 WHERE id % 7 = 0")
        elif act == 4:
            rows.execute("DELETE FROM posts WHERE id % 11 = 0")
        elif act == 5:
            rows.execute(f"PRAGMA wal_checkpoint({chance.choice(['PASSIVE', 'RESTART', 'TRUNCATE'])})").fetchall()
        elif act == 6:
            rows.execute("BEGIN")
            rows.execute("SELECT count(*) FROM posts").fetchone()  # holds checkpoints back
            add(chance.choice([each for each in open_now if each is not rows]), 4)
            rows.execute("ROLLBACK")
        else:
            for each in open_now:
                each.close()
            open_now = [opened(house) for _ in range(3)]
        database = crashed(house, tmp_path / str(moment))
        Path(f"{database}-shm").unlink(missing_ok=True)
        with_a_log += log.require_own(str(database))
        shutil.rmtree(database.parent)
    for each in open_now:
        each.close()
    assert with_a_log > 60


def test_a_log_that_damages_is_refused_even_if_nothing_else_tells_it_apart(house: Path, tmp_path: Path) -> None:
    with closing(opened(house)) as rows:
        rows.execute("UPDATE posts SET text = 'a' WHERE id = 1")
        backup = crashed(house, tmp_path / "backup")
        with closing(sqlite3.connect(backup)):
            pass
        rows.execute("UPDATE posts SET likes = 5 WHERE id < 9")
        rows.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        rows.execute("UPDATE posts SET likes = 7 WHERE id = 9")
        database = crashed(house, tmp_path / "crashed")
    start(crashed(database, tmp_path / "as it was"))
    with closing(sqlite3.connect(backup)) as alone:
        assert alone.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
    shutil.copy(backup, database)
    assert log.require_own(str(database)) is True
    before = contents(database)
    with pytest.raises(ForeignLog, match="the database would be damaged"):
        log.require_intact(str(database))
    assert contents(database) == before


def test_a_database_that_others_write_to_is_never_refused(house: Path, busy: subprocess.Popen[bytes]) -> None:
    looks, end_at = [log._look(house) for _ in range(300)], time.monotonic() + 20
    while not any(looks) and time.monotonic() < end_at:
        looks.append(log._look(house))
    assert any(looks) and busy.poll() is None


@pytest.fixture
def busy(house: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that writes all the time, and begins its log anew after every few pages."""
    code = (
        "import sqlite3, sys; rows = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "rows.execute('PRAGMA journal_mode = WAL'); rows.execute('PRAGMA wal_autocheckpoint = 9')\n"
        "rows.execute('PRAGMA synchronous = OFF'); print(1, flush=True)\n"
        "while True: rows.execute('INSERT INTO posts (text) VALUES (hex(randomblob(900)))')"
    )
    with subprocess.Popen([sys.executable, "-c", code, house], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        yield process
        process.kill()


def test_the_start_says_what_to_do(house: Path, tmp_path: Path) -> None:
    shutil.copy(house, house.with_name("backup"))
    database = used(house, tmp_path / "crashed")
    older(house, database)
    before = contents(database)
    environment = os.environ | {"BOTFACTORY_HOME": str(database.parent), "DATABASE_URL": ""}
    done = subprocess.run(
        [sys.executable, "manage.py", "run"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert f"{database}-wal isn't the log of botfactory.sqlite3 beside it" in done.stderr
    assert f"set the old log aside: mv {database}-wal {database}-wal.old" in done.stderr
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert contents(database) == before
