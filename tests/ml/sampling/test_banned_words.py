from __future__ import annotations

import time

import pytest

from models_app.ml.sampling.banned_words import BanList, HouseBanList


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
        ("海", "我想去海边"),
        ("ทะเล", "เราไปทะเลกันวันนี้"),
        ("น้ำ", "ดื่มน้ำเย็น"),
        ("ຮັກ", "ຂ້ອຍຮັກເຈົ້າ"),
        ("ချစ်", "ငါမင်းကိုချစ်တယ်"),
        ("ស្រលាញ់", "ខ្ញុំស្រលាញ់អ្នក"),
        ("spam", "ซื้อspamที่นี่"),
    ],
    ids=["Chinese", "Thai", "Thai that NFKC changes", "Lao", "Burmese", "Khmer", "Latin in Thai"],
)
@pytest.mark.parametrize("list_of", [BanList, HouseBanList])
def test_a_banned_word_is_found_where_no_spaces_separate_words(
    list_of: type[BanList | HouseBanList], banned: str, text: str
) -> None:
    assert list_of([banned]).finds(text) is not None


@pytest.mark.parametrize(
    ("banned", "text"),
    [
        ("art", "party artist smart art_s art1 1art"),
        ("fine art", "fine, art"),
        ("do", "undone dog"),
        ("cafe", "café"),
        ("е", "e"),  # a Cyrillic one is another letter
        ("ค", "คิด"),  # its vowel sign belongs to the letter
        ("ကျ", "ကျော်"),
    ],
)
def test_a_part_of_a_longer_word_is_no_banned_word(banned: str, text: str) -> None:
    assert BanList([banned]).finds(text) is None


def test_the_first_entry_that_is_found_is_named_as_it_is_compared() -> None:
    assert BanList(["nothing", " Red  Fox ", "fox"]).finds("A RED FOX") == "red fox"


@pytest.mark.parametrize("banned", [[], [""], ["  "]])
def test_an_empty_list_bans_nothing(banned: list[str]) -> None:
    assert BanList(banned).finds("anything at all") is None


HOUSE = HouseBanList(
    ["kill yourself", "kys", "go hang yourself", "god", "don't", "1488", "東京", ":)", "ค", "กน", "मल", "محمد", "שלום"]
)


@pytest.mark.parametrize(
    "text",
    [
        "Kill Yourself",
        "just KILL  YOUR-SELF!!",
        "killyourself",
        "#KillYourself",
        "kill... yourself",
        "k.i.l.l yourself",
        "k i l l   y o u r s e l f",
        "k1ll y0ur$elf",
        "kiiiilllll yourselffff",
        "kíll yóurself",
        "kill\u200b your\u00adself",
        "kill_yourself",
        "ｋｉｌｌ yourself",
        "k.y.s.",
        "k y s",
        "back kys so",
        "kys s sold",
        "so,\nkys\n\n\nsold",
        "Go, hang  yourself.",
        "dont",
        "don’t",
        "14 88",
        "私は東京都",
        "ok :) bye",
        "k\ufe0fi\ufe0fl\u20e3l yourself",
        "k\u0489i\u0489l\u0489l yourself",
        "k\u0e34\u0e48i\u093fll yourself",
        "\u0e34kill yourself",
        "ค ก.น",
        "म-ल",
        "مُحَمَّد",
        "שָׁלוֹם",
    ],
)
def test_a_phrase_of_the_house_is_found_however_it_is_spelled(text: str) -> None:
    assert HOUSE.finds(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "skill yourself",
        "kill yourselfie",
        "kill (time), then ask yourself",
        "kill and yourself",
        "I kill your selfishness",
        "sky s",
        "tricky stuff",
        "good",
        "hang on, yourself",
        "คิด กิน",
        "मिल माला",
        "",
    ],
)
def test_what_only_looks_like_a_phrase_of_the_house_is_not_found(text: str) -> None:
    assert HOUSE.finds(text) is None


def test_no_text_makes_the_search_slow() -> None:
    many = HouseBanList(["kill yourself", "a" * 100, "abababab", *(f"kill yourself {n} times" for n in range(498))])
    begun = time.process_time()
    for text in ("kill" * 1000, "k" * 4000, "kil l " * 700, "kiiiillll yourself " * 200, "k!1|" * 1000, "a b" * 1300):
        many.finds(text)
    assert time.process_time() - begun < 5
