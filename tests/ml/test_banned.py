from __future__ import annotations

import pytest

from models_app.ml.banned import BanList


@pytest.mark.parametrize(
    ("banned", "text"),
    [
        ("art", "Art!"),
        ("art", "#ART"),
        ("art", "fine art"),
        ("don't", "DON’T do it"),
        ("fine  art", "the Fine\nArt of it"),
        ("café", "the cafe\u0301s of a CAFE\u0301"),
        ("ﬁne", "FINE"),
        ("🎉", "yes🎉🎉"),
        ("$$$", "make $$$now"),
        ("東京", "私は東京都"),
        (":)", "ok :) bye"),
    ],
)
def test_a_banned_word_is_found_in_any_case_and_beside_any_sign(banned: str, text: str) -> None:
    assert BanList([banned]).finds(text) is not None


@pytest.mark.parametrize(
    ("banned", "text"),
    [
        ("art", "party artist smart art_s art1 1art"),
        ("fine art", "fine, art"),
        ("do", "undone dog"),
        ("cafe", "café"),
        ("е", "e"),  # a Cyrillic one is another letter
    ],
)
def test_a_part_of_a_longer_word_is_no_banned_word(banned: str, text: str) -> None:
    assert BanList([banned]).finds(text) is None


def test_the_first_entry_that_is_found_is_named_as_it_is_compared() -> None:
    assert BanList(["nothing", " Red  Fox ", "fox"]).finds("A RED FOX") == "red fox"


@pytest.mark.parametrize("banned", [[], [""], ["  "]])
def test_an_empty_list_bans_nothing(banned: list[str]) -> None:
    assert BanList(banned).finds("anything at all") is None
