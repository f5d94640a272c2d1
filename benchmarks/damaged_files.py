"""Intact files, and every way we could think of to damage one. The number of a damaged file identifies it."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes import archives
from tests.fakes.posts import make_posts

_TEXTS = make_posts(30, seed=5)
_TEXTS[3] += " ☕ naïve café 🌧️ &amp;"
_TEXTS[7] = "RT @someone: words of somebody el…"
_TEXTS[9] = '@someone "quoted", with; marks\tand more'
_WESTERN = [text.encode("cp1252", "ignore").decode("cp1252") for text in _TEXTS]


@dataclass(frozen=True, slots=True)
class Sound:
    """An intact file, and the texts in it."""

    name: str
    data: bytes
    texts: list[str]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file to read. With `texts`, it is only written in another way and must give exactly these."""

    kind: str
    name: str
    data: bytes
    texts: list[str] | None = None
    whole: Sound | None = None  # the whole file, if this one was cut


def sound_files() -> list[Sound]:
    plain = [text.replace("&amp;", "&") for text in _TEXTS]
    records = [{"id": str(n), "created_at": "2024-05-01T12:00:00Z", "text": text} for n, text in enumerate(plain)]
    rows = "".join(f'{n},2024-05-01,"{text.replace(chr(34), chr(34) * 2)}"\n' for n, text in enumerate(plain))
    tweets = [archives.tweet(n, text) for n, text in enumerate(plain)]
    files = {
        "tweets.js": archives.ytd("tweets", 0, tweets),
        "archive.zip": archives.archive_2022(plain, parts=2, notes=[archives.note(0, "a long one, " * 30)]),
        "older.zip": archives.archive_2013(plain),
        "table.zip": archives.archive_csv(plain),
        "posts.csv": f"id,date,text\n{rows}".encode(),
        "posts.json": json.dumps({"count": 30, "tweets": records}, ensure_ascii=False).encode(),
        "list.json": json.dumps(plain).encode(),
        "posts.jsonl": "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode(),
        "posts.txt": "".join(text + "\n" for text in plain).encode(),
        "posts.jsonl.gz": gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode(), mtime=0),
    }
    return [Sound(name, data, plain) for name, data in files.items()]


SOUND = sound_files()


def cut(sound: Sound, rng: random.Random) -> Damaged:
    return Damaged("cut", sound.name, sound.data[: rng.randrange(len(sound.data))], whole=sound)


def flipped(sound: Sound, rng: random.Random) -> Damaged:
    data = bytearray(sound.data)
    for _ in range(rng.choice([1, 1, 2, 8, 60])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return Damaged("bits flipped", sound.name, bytes(data))


def overwritten(sound: Sound, rng: random.Random) -> Damaged:
    data = bytearray(sound.data)
    start, length = rng.randrange(len(data)), rng.choice([1, 4, 30, 500])
    filling = rng.choice([bytes(length), b"\xff" * length, rng.randbytes(length), b"\xed\xa0\x80" * length])
    data[start : start + length] = filling[:length]
    return Damaged("overwritten", sound.name, bytes(data))


def spliced(sound: Sound, rng: random.Random) -> Damaged:
    other = rng.choice(SOUND)
    at, start = rng.randrange(len(sound.data)), rng.randrange(len(other.data))
    piece = other.data[start : start + rng.choice([3, 50, 5000])]
    rest = sound.data[at:] if rng.random() < 0.7 else b""
    return Damaged("spliced", sound.name, sound.data[:at] + piece + rest)


def misnamed(sound: Sound, rng: random.Random) -> Damaged:
    names = [
        "a.txt",
        "a.csv",
        "a.json",
        "a.jsonl",
        "a.zip",
        "a.js",
        "a",
        "a.gz",
        "a.png",
        "../../a.txt",
        "." * 90,
        "☕",
    ]
    return Damaged("misnamed", rng.choice(names), sound.data)


def re_encoded(sound: Sound, rng: random.Random) -> Damaged:
    encoding = rng.choice(["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1252"])
    texts = _WESTERN if encoding == "cp1252" else sound.texts
    end = rng.choice(["\n", "\r\n", "\r"])
    data = end.join(texts).encode(encoding)
    expected = [text.replace("&amp;", "&").strip() for text in texts]
    return Damaged("re-encoded", "posts.txt", data, texts=expected)


def wrongly_encoded(sound: Sound, rng: random.Random) -> Damaged:
    text = sound.data.decode("utf-8", "ignore")
    encoding = rng.choice(["utf-16", "utf-16-be", "utf-32", "utf-7", "cp1252", "cp037", "shift-jis", "koi8-r", "utf-8"])
    data = text.encode(encoding, "replace")
    if rng.random() < 0.4:
        data = data[1:] if rng.random() < 0.5 else b"\xff\xfe" + data
    return Damaged("wrong encoding", sound.name, data)


def odd_json(sound: Sound, rng: random.Random) -> Damaged:
    values = [
        "[" * rng.choice([3, 900, 60_000]),
        '{"a":' * rng.choice([3, 900, 60_000]),
        "[" * 500 + "]" * 500,
        "9" * rng.choice([30, 4_000, 100_000]),
        "-1e99999",
        "NaN",
        "Infinity",
        '"' + rng.choice(["\\ud83d", "\\ude00", "\\u0000", "\\ud83d\\ude00"]) * rng.choice([1, 5000]) + '"',
        '"' + "\x00" * 30 + '"',
        '"' + "a" * 2_000_000 + '"',
        "null",
        '{"text": {"text": []}}',
        '{"id": 1e400, "text": "a", "created_at": 99999999999999999999}',
        '{"id": "' + "i" * 500 + '", "text": "a", "text": "b", "created_at": "9999-12-31T23:59:59-23:59"}',
        '{"tweet": {"id_str": [], "full_text": "a", "user": 5, "referenced_tweets": {"a": 1}, "entities": null}}',
        '{"type": "Create", "object": [[]], "to": {"a": []}, "id": null}',
        '{"post": {"uri": "' + "/" * 3000 + '", "record": {"text": null, "createdAt": {}}}}',
    ]
    inner = ", ".join(rng.choice(['"a post"', '{"text": "b"}', rng.choice(values)]) for _ in range(rng.randint(1, 6)))
    name, shape = rng.choice(
        [
            ("a.json", "[{}]"),
            ("a.json", '{{"data": [{}]}}'),
            ("a.jsonl", "{}\n"),
            ("tweets.js", "window.YTD.tweets.part0 = [{}]"),
            ("2013_01.js", "Grailbird.data.tweets_2013_01 = \n [{}]"),
        ]
    )
    data = shape.format(inner).encode("utf-8", "surrogatepass")
    return Damaged("odd JSON", name, data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)


def odd_table(sound: Sound, rng: random.Random) -> Damaged:
    cells = [
        "",
        "a",
        "words of a post",
        '"',
        '"never closed',
        "\x00",
        ",",
        ";",
        "\t",
        "\r",
        "☕" * 50,
        "x" * 200_000,
        "'",
    ]
    rows = [
        rng.choice(",;\t|").join(rng.choice([*cells, "id", "text", "tweet"]) for _ in range(rng.randint(1, 7)))
        for _ in range(rng.randint(1, 40))
    ]
    return Damaged("odd table", rng.choice(["a.csv", "a.tsv", "a.txt"]), rng.choice(["\n", "\r\n"]).join(rows).encode())


def odd_zip(sound: Sound, rng: random.Random) -> Damaged:
    posts = archives.ytd("tweets", 0, [archives.tweet(n, text) for n, text in enumerate(_TEXTS)])
    names = ["data/tweets.js", "../data/tweets.js", "../../../../etc/passwd", "/data/tweets.js", "data\\tweets.js"]
    names += ["C:\\data\\tweets.js", "data/tweets-part1.js", "data/tweets.js/", "a/b/tweet.js", "data/note-tweet.js"]
    names += ["data/tweets-part99999999999.js", "tweets.csv", "data/js/tweets/2013_01.js", "\x00", "☕/data/tweets.js"]
    contents = [posts, b"", b"[]", posts[:-9], posts * 2, archives.ytd("like", 0, []), rng.randbytes(300), b"{" * 9000]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])) as packed:
        for name in dict.fromkeys(rng.choice(names) for _ in range(rng.randint(1, 5))):
            packed.writestr(zipfile.ZipInfo(name), rng.choice(contents), packed.compression)
    data = bytearray(out.getvalue())
    if rng.random() < 0.5:  # a directory that lies
        start = data.rfind(b"PK\x01\x02")
        place = start + rng.choice([8, 10, 16, 20, 24, 28, 30, 42])
        data[place : place + 2] = rng.choice([b"\x00\x00", b"\xff\xff", b"\x01\x00", rng.randbytes(2)])
    if rng.random() < 0.2:
        data += rng.randbytes(rng.randrange(300))
    return Damaged("odd zip", "a.zip", bytes(data))


def bomb(sound: Sound, rng: random.Random) -> Damaged:
    size = rng.choice([2_000_000, 30_000_000])
    head = b'window.YTD.tweets.part0 = [{"tweet": {"full_text": "'
    if rng.random() < 0.4:
        return Damaged("bomb", "a.txt.gz", gzip.compress(rng.choice([b"\x00", b"a", b"a line\n"]) * size, 1))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for part in range(rng.choice([1, 3])):
            packed.writestr(f"data/tweets{f'-part{part}' if part else ''}.js", head + bytes(size) + b'"}}]')
    data = out.getvalue()
    if rng.random() < 0.5:  # it says that it is small
        place = data.rfind(b"PK\x01\x02") + 24
        data = data[:place] + (1000).to_bytes(4, "little") + data[place + 4 :]
    return Damaged("bomb", "a.zip", data)


def nonsense(sound: Sound, rng: random.Random) -> Damaged:
    heads = [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"%PDF-1.7\n",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x1f\x8b\x08",
        b"\xff\xfe\x00\x00",
    ]
    body = rng.choice([b"", bytes(rng.randrange(3000)), rng.randbytes(rng.randrange(3000)), b"\n" * 500, b" " * 9000])
    name = rng.choice(["a.txt", "a.csv", "a.json", "a.jsonl", "a.zip", "a.js", "a.txt.gz", "a"])
    return Damaged("nonsense", name, rng.choice(heads) + body)


WAYS: list[tuple[Callable[[Sound, random.Random], Damaged], int]] = [
    (cut, 18),
    (flipped, 18),
    (overwritten, 10),
    (spliced, 10),
    (misnamed, 5),
    (re_encoded, 6),
    (wrongly_encoded, 8),
    (odd_json, 10),
    (odd_table, 5),
    (odd_zip, 6),
    (bomb, 1),
    (nonsense, 3),
]


def damaged_file(number: int, seed: int) -> Damaged:
    """Return the file with that number, always the same one."""
    rng = random.Random(f"{seed} {number}")
    way = rng.choices([way for way, _ in WAYS], weights=[weight for _, weight in WAYS])[0]
    return way(rng.choice(SOUND), rng)
