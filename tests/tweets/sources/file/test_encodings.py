"""Text files in any usual encoding."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from tests.tweets.sources.file.helpers import read, texts

GERMAN = "Grüße aus Köln\r\n\r\n  naïve café \r\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_a_line_is_a_post_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    posts = read(tmp_path, "a.txt", GERMAN.encode(encoding))
    assert texts(posts) == ["Grüße aus Köln", "naïve café"]
    assert [post.key for post in posts] == ["line-000000001", "line-000000003"]
    assert posts[0].created_at is None


def test_characters_that_were_lost_earlier_do_not_make_it_another_encoding(tmp_path: Path) -> None:
    lines = ["I don\ufffdt think it\ufffds over, but we can wait and see.", "a caf\u00e9", "tea at four"]
    assert texts(read(tmp_path, "a.txt", "\n".join(lines[1:] * 2 + lines[:1]).encode()))[:2] == lines[1:]
    assert texts(read(tmp_path, "a.txt", "\n".join(lines).encode()))[1:] == lines[1:]


@pytest.mark.parametrize("mark", ["BOM_UTF16_LE", "BOM_UTF16_BE", "BOM_UTF32_LE", "BOM_UTF32_BE"])
def test_every_byte_order_mark_is_understood_and_no_part_of_a_post(tmp_path: Path, mark: str) -> None:
    encoding = mark[4:].replace("_", "-").replace("UTF", "utf-").lower()
    assert texts(read(tmp_path, "a.txt", getattr(codecs, mark) + GERMAN.encode(encoding)))[0] == "Grüße aus Köln"


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("cp1251", "Сегодня утром кот пролил чай на мой ноутбук, и я думаю, что это знак."),
        ("koi8-r", "Сегодня утром кот пролил чай на мой ноутбук, и я думаю, что это знак."),
        ("cp1253", "Σήμερα το πρωί η γάτα έχυσε το τσάι μου στον υπολογιστή."),
        ("cp1256", "هذا الصباح سكبت القطة الشاي على حاسوبي."),
        ("shift-jis", "今日は天気がいいから散歩しましょう。お茶をこぼした猫がいます。"),
        ("euc-jp", "今日は天気がいいから散歩しましょう。お茶をこぼした猫がいます。"),
        ("gb18030", "今天天气很好，我们去散步吧。猫把茶洒在我的电脑上了。"),
        ("big5", "今天天氣很好，我們去散步吧。貓把茶灑在我的電腦上了。"),
        ("euc-kr", "오늘은 날씨가 좋아서 산책하자. 고양이가 차를 쏟았어요."),
        ("cp1250", "Dziś rano kot wylał herbatę na mój laptop. Żółw śpi, źle się dzieje."),
        ("cp1254", "Bu sabah kedi çayımı döktü, şaşırdım. Güneş doğdu, ışık güzel."),
        ("cp1252", "El niño comió año tras año; ça va très bien, à bientôt. São Paulo não é a capital."),
        ("cp1252", "It’s “quoted” — dashes… and that’s it"),
    ],
)
def test_older_encodings_are_told_by_their_words(tmp_path: Path, encoding: str, line: str) -> None:
    written = [f"{number} {line}" for number in range(40)]
    beginning = ["plain ASCII comes first"] * 3000
    posts = read(tmp_path, "a.txt", "\n".join([*beginning, *written]).encode(encoding))
    assert texts(posts)[3000:] == written


CENTRAL = {
    "cs": [
        "Dnes ráno kočka vylila čaj na můj počítač a já nevím, co dělat.",
        "Když prší, zůstanu doma a čtu si knihu o žábách.",
        "Není to špatné, ale může to být lepší.",
        "Žádná husa nemluví příliš tiše, to je jisté.",
    ],
    "hu": [
        "Ma reggel a macska ráöntötte a teát a gépemre, és nem tudom, mit tegyek.",
        "Ha esik az eső, otthon maradok, mert van egy jó könyvem.",
        "Ez nem rossz, de lehet jobb is.",
        "Őszintén szólva fáradt vagyok, és a lúd sem alszik.",
    ],
    "pl": [
        "Dziś rano kot wylał herbatę na mój laptop i nie wiem, co robić.",
        "Kiedy pada, zostaję w domu i czytam książkę o żabach.",
        "To nie jest złe, ale może być lepiej.",
        "Źle się dzieje, żółw śpi, a gęś już nie.",
    ],
    "ro": [
        "Azi dimineaţă pisica a vărsat ceaiul pe calculatorul meu şi nu ştiu ce să fac.",
        "Când plouă, rămân acasă cu o carte despre broaşte.",
        "Nu este rău, dar poate fi mai bine.",
        "Ţara mea este frumoasă şi gâştele sunt bune.",
    ],
}
WESTERN = {
    "de": ["Die Katze hat heute den Tee über meinen Rechner geschüttet.", "Es ist nicht übel, aber die Gans schläft."],
    "es": ["Esta mañana el gato volcó el té y no sé qué hacer.", "¿Qué pasa, señor? No está mal, pero llueve."],
    "fr": ["Ce matin le chat a renversé le thé, ça arrive.", "L’œuf est où ? Je reste à la maison, très étonné."],
    "it": ["Il gatto ha rovesciato il tè e non so più cosa fare.", "Non è male, perché la mia oca è qui."],
    "pt": ["Esta manhã o gato derramou o chá e não sei o que fazer.", "Às vezes leio um livro sobre rãs, coração."],
    "sv": ["I morse spillde katten te på min dator och jag vet inte varför.", "Det är inte dåligt, men gåsen är här."],
}


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize("language", CENTRAL)
def test_central_european_text_is_told_by_its_small_words(tmp_path: Path, language: str, encoding: str) -> None:
    lines = CENTRAL[language]
    assert texts(read(tmp_path, "a.txt", "\n".join(lines).encode(encoding))) == lines


@pytest.mark.parametrize("language", CENTRAL)
def test_quotes_of_windows_do_not_hide_central_european_text(tmp_path: Path, language: str) -> None:
    lines = [f"„{line}” – …" for line in CENTRAL[language]]
    assert texts(read(tmp_path, "a.txt", "\n".join(lines).encode("cp1250"))) == lines


@pytest.mark.parametrize("language", WESTERN)
def test_western_text_stays_western(tmp_path: Path, language: str) -> None:
    lines = WESTERN[language]
    assert texts(read(tmp_path, "a.txt", "\n".join(lines).encode("cp1252"))) == lines


@pytest.mark.parametrize("word", ["Grüße", "café", "naïve", "Ça va?", "£5 a pint", "5° and ½"])
def test_a_short_text_in_an_older_encoding_is_western(tmp_path: Path, word: str) -> None:
    assert texts(read(tmp_path, "a.txt", word.encode("cp1252"))) == [word]


def test_one_torn_character_does_not_spoil_the_emoji(tmp_path: Path) -> None:
    content = "".join(f"tea ☕ number {n} 🌧️\n" for n in range(50)).encode() + "torn ☕".encode()[:-1]
    posts = read(tmp_path, "a.txt", content)
    assert posts[0].text == "tea ☕ number 0 🌧️"
    assert len(posts) == 51


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_file_that_ends_in_the_middle_of_its_only_emoji_but_one_keeps_the_other(tmp_path: Path, cut: int) -> None:
    posts = read(tmp_path, "a.txt", "naïve ☕\nand 🌧".encode()[:-cut])
    assert posts[0].text == "naïve ☕" and posts[1].text.startswith("and")
