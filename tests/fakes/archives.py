"""Small X archives of every generation, with the private files around the posts that no reader may touch."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

EMAIL = "private.person@example.com"
SECRET = "a direct message that is nobody's business"
_START = datetime(2023, 5, 1, 12, 0, 0, tzinfo=UTC)


def tweet(index: int, text: str, **more: Any) -> dict[str, Any]:
    """One post as `data/tweets.js` has it; `more` adds or overrides fields."""
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
    """The full text of the post with that index, as `data/note-tweet.js` has it; `late` is its delay in seconds."""
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
    """The zip of the files, under the folder `top` ("name/"), with private files beside them unless told otherwise."""
    around = {
        "Your archive.html": b"<html></html>",
        "data/account.js": ytd("account", 0, [{"account": {"email": EMAIL, "username": "someone"}}]),
        "data/direct-messages.js": ytd("direct_messages", 0, [{"dmConversation": {"messages": [{"text": SECRET}]}}]),
        "data/like.js": ytd("like", 0, [{"like": {"tweetId": "1", "fullText": "a post of somebody else"}}]),
        "data/deleted-tweets.js": ytd("deleted_tweets", 0, [tweet(900, "a post that was deleted")]),
        "data/tweets_media/1-a.jpg": bytes(range(256)) * 40,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**(around if private else {}), **files}.items():
            archive.writestr(top + name, content)
    return out.getvalue()


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
