"""The models that a writer has in memory: as many as fit into a number of megabytes, those used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = tuple[str, str]
Thing = TypeVar("Thing")


class _Place(Generic[Thing]):
    def __init__(self, expected: int) -> None:
        self.bytes = expected
        self.users = 1
        self.thing: Thing | None = None
        self.is_loading = True


class Shelf(Generic[Thing]):
    """Things by key, within a number of bytes. One that is in use stays; who needs room waits for it.

    A thing that alone is larger than the shelf is let in when nothing else is there. What is held beside the things
    takes room from those that nobody uses, except from the last one.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._beside = max_bytes, 0
        self._changed = threading.Condition()
        self._places: OrderedDict[Key, _Place[Thing]] = OrderedDict()

    @property
    def bytes(self) -> int:
        with self._changed:
            return self._bytes()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: Key) -> bool:
        return key in self._places

    def _bytes(self) -> int:
        return sum(place.bytes for place in self._places.values())

    def take(self, key: Key, expected: int, load: Callable[[], tuple[Thing, int]]) -> Thing:
        """Return the thing, loaded if it isn't there. Call `give_back` once it isn't needed any more.

        `load` returns the thing and its bytes, of which `expected` is a guess. Waits for room, and while another thread
        loads the same.
        """
        place = self._entered(key, expected)
        if place.thing is not None:
            return place.thing
        try:
            thing, place.bytes = load()
        except BaseException:
            with self._changed:
                del self._places[key]
                self._changed.notify_all()
            raise
        with self._changed:
            place.thing, place.is_loading = thing, False
            self._make_room(0)
            self._changed.notify_all()
        return thing

    def give_back(self, key: Key) -> None:
        with self._changed:
            self._places[key].users -= 1
            self._make_room(0)
            self._changed.notify_all()

    def leave_room(self, beside: int) -> bool:
        """Reserve `beside` bytes from now on. Return whether something had to be dropped for them."""
        with self._changed:
            before = len(self._places)
            self._beside = beside
            self._make_room(0)
            return len(self._places) < before

    def _entered(self, key: Key, expected: int) -> _Place[Thing]:
        """Return the key's place with one user more: with the thing, or empty and to be filled by the caller."""
        with self._changed:
            while True:
                place = self._places.get(key)
                if place is None:
                    if self._make_room(expected):
                        place = self._places[key] = _Place(expected)
                        return place
                elif not place.is_loading:
                    self._places.move_to_end(key)
                    place.users += 1
                    return place
                self._changed.wait()

    def _beside_of(self, needed: int) -> int:
        return self._beside if needed or len(self._places) > 1 else 0

    def _make_room(self, needed: int) -> bool:
        """Drop the least recently used things until `needed` bytes fit. Return whether they do."""
        free = [key for key, place in self._places.items() if not place.users]
        while free and self._bytes() + needed + self._beside_of(needed) > self._max_bytes:
            del self._places[free.pop(0)]
        return not self._places or self._bytes() + needed <= self._max_bytes
