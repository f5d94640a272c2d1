"""Small X archives of every generation, with private files around the posts that nothing may read."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EMAIL = "private.person@example.com"
SECRET = "a direct message that is nobody's business"
_MAX = 0xFFFFFFFF  # "see the extra field"
_START = datetime(2023, 5, 1, 12, 0, 0, tzinfo=UTC)
_DATE = (2023, 5, 2, 12, 0, 0)  # of the files in the zip


def tweet(index: int, text: str, **more: Any) -> dict[str, Any]:
    """Return a post as in `data/tweets.js`; `more` adds or overrides fields."""
    moment = _START - timedelta(hours=index)
    fields = {
        "id": str(1_650_000_000_000_000_000 - index),
        "id_str": str(1_650_000_000_000_000_000 - index),
        "created_at": moment.strftime("%a %b %d %H:%M:%S +0000 %Y"),
        "full_text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        "retweeted": False,
        "truncated": False,
        "lang": "en",
    }
    return {"tweet": {**fields, **more}}


def note(index: int, text: str, *, late: int = 0) -> dict[str, Any]:
    """Return the full text of the post with that index, as in `data/note-tweet.js`; `late` is its delay in seconds."""
    moment = _START - timedelta(hours=index) + timedelta(seconds=late)
    return {
        "noteTweet": {
            "noteTweetId": str(index),
            "createdAt": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "core": {"text": text, "urls": [], "mentions": []},
        }
    }


def ytd(name: str, part: int, items: Sequence[Any]) -> bytes:
    """A file of the archive as JavaScript."""
    return f"window.YTD.{name}.part{part} = {json.dumps(items, indent=2, ensure_ascii=False)}".encode()


def pack(files: Mapping[str, bytes], *, top: str = "", private: bool = True) -> bytes:
    """Return a zip of the files in the folder `top` ("name/"), by default with private files beside them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**(private_files() if private else {}), **files}.items():
            entry = zipfile.ZipInfo(top + name, _DATE)  # always the same bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def private_files() -> dict[str, bytes]:
    """Return the private files around the posts."""
    return {
        "Your archive.html": b"<html></html>",
        "data/account.js": ytd("account", 0, [{"account": {"email": EMAIL, "username": "someone"}}]),
        "data/direct-messages.js": ytd("direct_messages", 0, [{"dmConversation": {"messages": [{"text": SECRET}]}}]),
        "data/direct-messages-group.js": ytd("direct_messages_group", 0, [{"dmConversation": {"text": SECRET}}]),
        "data/email-address-change.js": ytd("email_address_change", 0, [{"changedTo": {"email": EMAIL}}]),
        "data/ip-audit.js": ytd("ip_audit", 0, [{"ipAudit": {"loginIp": "203.0.113.7"}}]),
        "data/phone-number.js": ytd("phone_number", 0, [{"device": {"phoneNumber": "+15550100"}}]),
        "data/like.js": ytd("like", 0, [{"like": {"tweetId": "1", "fullText": "a post of somebody else"}}]),
        "data/deleted-tweets.js": ytd("deleted_tweets", 0, [tweet(900, "a post that was deleted")]),
        "data/tweets_media/1-a.jpg": bytes(range(256)) * 40,
    }


def archive_2022(texts: Sequence[str], *, top: str = "", parts: int = 1, notes: Sequence[Any] = ()) -> bytes:
    """`data/tweets.js` and, with more parts, `data/tweets-part1.js` and so on; `notes` fill `data/note-tweet.js`."""
    items = [tweet(index, text) for index, text in enumerate(texts)]
    size = -(-len(items) // parts)
    files = {
        f"data/tweets{f'-part{part}' if part else ''}.js": ytd("tweets", part, items[part * size : (part + 1) * size])
        for part in range(parts)
    }
    if notes:
        files["data/note-tweet.js"] = ytd("note_tweet", 0, notes)
    return pack(files, top=top)


def archive_2019(texts: Sequence[str]) -> bytes:
    """`data/tweet.js`."""
    return pack({"data/tweet.js": ytd("tweet", 0, [tweet(index, text) for index, text in enumerate(texts)])})


def archive_2013(texts: Sequence[str]) -> bytes:
    """`data/js/tweets/YYYY_MM.js`, two months, and `tweets.csv` beside them."""
    half = len(texts) // 2
    months = {"2013_02": list(enumerate(texts))[:half], "2013_01": list(enumerate(texts))[half:]}
    files = {"tweets.csv": grailbird_csv(texts)}
    for month, entries in months.items():
        items = [
            {
                "id_str": str(300_000_000_000_000_000 - index),
                "text": text,
                "created_at": f"{month[:4]}-{month[5:]}-08 03:21:05 +0000",
                "user": {"screen_name": "someone", "id_str": "42"},
            }
            for index, text in entries
        ]
        files[f"data/js/tweets/{month}.js"] = f"Grailbird.data.tweets_{month} = \n{json.dumps(items)}".encode()
    files["data/js/user_details.js"] = b'var user_details = {"screen_name": "someone"}'
    return pack(files, private=False)


def archive_csv(texts: Sequence[str]) -> bytes:
    """Only `tweets.csv`."""
    return pack({"tweets.csv": grailbird_csv(texts)}, private=False)


def grailbird_csv(texts: Sequence[str]) -> bytes:
    """`tweets.csv` as the archives of 2013 to 2018 had it."""
    rows = ['"tweet_id","in_reply_to_status_id","in_reply_to_user_id","timestamp","source","text"']
    for index, text in enumerate(texts):
        quoted = text.replace('"', '""')
        rows.append(f'"{300_000_000_000_000_000 - index}","","","2013-02-08 03:21:05 +0000","<a>web</a>","{quoted}"')
    return "\n".join(rows).encode()


def write_large(path: Path, files: Mapping[str, bytes | int]) -> None:
    """Write a zip, larger than 4 GB if needed. A file given as a number is that many zeros, which take no space."""
    directory = b""
    with path.open("wb") as out:
        for name, content in files.items():
            data = b"" if isinstance(content, int) else zlib.compress(content, wbits=-15)
            size = content if isinstance(content, int) else len(content)
            packed = content if isinstance(content, int) else len(data)
            method, checksum = (0, 0) if isinstance(content, int) else (8, zlib.crc32(content))
            offset, encoded = out.tell(), name.encode()
            large = struct.pack("<2H2Q", 1, 16, size, packed)
            out.write(struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, method, 0, 33, checksum, _MAX, _MAX, len(encoded), 20))
            out.write(encoded + large + data)
            if isinstance(content, int):
                out.seek(content, io.SEEK_CUR)
            extra = struct.pack("<2H3Q", 1, 24, size, packed, offset)
            directory += (
                struct.pack("<4s6H3L", b"PK\1\2", 45, 45, 0, method, 0, 33, checksum, _MAX, _MAX)
                + struct.pack("<5H2L", len(encoded), len(extra), 0, 0, 0, 0, _MAX)
                + encoded
                + extra
            )
        start, count = out.tell(), len(files)
        out.write(directory)
        end = out.tell()
        out.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start))
        out.write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
        out.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _MAX, _MAX, 0))
