from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.personas import by_age, characters_and_marks, joined, read_persona
from benchmarks.posts import made_posts

from .conftest import persona_file

pytestmark = pytest.mark.long


def test_posts_are_cut_by_age_and_none_is_on_two_sides(tmp_path: Path) -> None:
    texts = [post for post in made_posts(100) if "&" not in post and "#" not in post and "http" not in post][:50]
    # A post that was sent twice must not be both learned and measured.
    file = persona_file(tmp_path / "someone.jsonl", [*texts, texts[0], texts[1]])
    persona = read_persona(file, newest=52)
    assert (persona.name, persona.found) == ("someone", 52)
    assert [len(part) for part in (persona.train, persona.validation, persona.test)] == [40, 5, 5]
    assert not set(persona.train) & set(persona.test) and not set(persona.validation) & set(persona.test)
    in_order = [*persona.train, *persona.validation, *persona.test]
    once = [text for text in texts if in_order.count(text) == 1]
    assert len(once) == 50 and [text for text in in_order if text in texts[2:]] == texts[2:]


def test_of_a_persona_the_newest_posts_are_taken(tmp_path: Path) -> None:
    file = persona_file(tmp_path / "someone.jsonl", list(made_posts(60)))
    everything, newest = read_persona(file, newest=60), read_persona(file, newest=30)
    assert newest.test[-1] == everything.test[-1] and newest.found == 30 < everything.found


@pytest.mark.parametrize(("count", "parts"), [(10, (8, 1, 1)), (100, (80, 10, 10)), (101, (81, 10, 10))])
def test_the_parts_are_80_10_and_10_per_cent(count: int, parts: tuple[int, int, int]) -> None:
    posts = [str(number) for number in range(count)]
    found = by_age(posts)
    assert tuple(map(len, found)) == parts
    assert [post for part in found for post in part] == posts


def test_too_few_posts_are_refused() -> None:
    with pytest.raises(ValueError, match="9 posts are too few"):
        by_age(["a post"] * 9)


def test_characters_are_those_of_unicode_with_one_mark_a_post_and_symbols_are_bytes() -> None:
    assert characters_and_marks(["hé👋", "a"]) == 6
    assert joined(["hé👋", "a"]) == "hé👋".encode() + b"\xffa\xff"
