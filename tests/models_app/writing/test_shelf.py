"""What a writer keeps in memory: limited; the least recently used bot goes first, and bots in use stay."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from models_app.writing.shelf import Key, Shelf
from tests.product import wait_for


def key(name: str) -> Key:
    return name, ""


class Loads:
    """The names of what was loaded, in order."""

    def __init__(self) -> None:
        self.names: list[str] = []


@pytest.fixture
def loads() -> Loads:
    return Loads()


def use(shelf: Shelf[str], loads: Loads, name: str, size: int = 10) -> None:
    def load() -> tuple[str, int]:
        loads.names.append(name)
        return name, size

    assert shelf.take(key(name), size, load) == name
    shelf.give_back(key(name))


def test_what_was_used_least_recently_goes_first(loads: Loads) -> None:
    shelf: Shelf[str] = Shelf(30)
    for name in ("a", "b", "c", "a", "d", "a", "b"):
        use(shelf, loads, name)
    assert loads.names == ["a", "b", "c", "d", "b"]
    assert shelf.bytes == 30 and len(shelf) == 3


def test_the_bytes_that_a_thing_really_has_count(loads: Loads) -> None:
    shelf: Shelf[str] = Shelf(30)
    use(shelf, loads, "a")
    shelf.take(key("b"), 1, lambda: ("b", 25))
    assert shelf.bytes == 25
    shelf.give_back(key("b"))


def test_who_needs_room_waits_while_all_is_in_use_and_then_gets_it() -> None:
    shelf: Shelf[str] = Shelf(20)
    for name in ("a", "b"):
        shelf.take(key(name), 10, lambda: ("thing", 10))
    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(shelf.take, key("c"), 10, lambda: ("third", 10))
        time.sleep(0.1)
        assert not third.done()
        # Others can use one that is in use.
        assert shelf.take(key("a"), 10, lambda: ("never", 10)) == "thing"
        shelf.give_back(key("b"))
        assert third.result(10) == "third"
    assert shelf.bytes == 20


def test_what_is_larger_than_the_shelf_is_let_in_alone(loads: Loads) -> None:
    shelf: Shelf[str] = Shelf(20)
    use(shelf, loads, "a")
    use(shelf, loads, "giant", 50)
    assert loads.names == ["a", "giant"] and shelf.bytes == 0


def test_what_is_held_beside_them_takes_room_from_those_that_nobody_uses_but_the_last(loads: Loads) -> None:
    shelf: Shelf[str] = Shelf(100)
    for name in ("a", "b", "c"):
        shelf.take(key(name), 30, lambda: ("", 30))
    assert not shelf.leave_room(1000) and len(shelf) == 3, "all are in use"
    shelf.give_back(key("a"))
    assert len(shelf) == 2
    for name in ("b", "c"):
        shelf.give_back(key(name))
    assert len(shelf) == 1 and key("c") in shelf
    assert not shelf.leave_room(0)
    use(shelf, loads, "d", 30)
    assert key("c") in shelf


def test_a_thing_is_loaded_once_for_several_who_want_it_at_once() -> None:
    shelf: Shelf[str] = Shelf(100)
    go_on, loaded = threading.Event(), []

    def load() -> tuple[str, int]:
        loaded.append(1)
        assert go_on.wait(60)
        return "thing", 10

    with ThreadPoolExecutor(4) as pool:
        taken = [pool.submit(shelf.take, key("a"), 10, load) for _ in range(4)]
        wait_for("one to load", lambda: loaded)
        go_on.set()
        assert [each.result(10) for each in taken] == ["thing"] * 4
    assert loaded == [1]


def test_what_cannot_be_loaded_leaves_nothing_behind_and_is_tried_again(loads: Loads) -> None:
    shelf: Shelf[str] = Shelf(20)

    def broken() -> tuple[str, int]:
        raise OSError

    for _ in range(2):
        with pytest.raises(OSError):
            shelf.take(key("a"), 10, broken)
    assert shelf.bytes == 0
    use(shelf, loads, "a")
    assert loads.names == ["a"]
