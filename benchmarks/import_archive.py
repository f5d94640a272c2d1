"""How fast an X archive becomes a cleaned corpus, with how much memory, and how both grow with its posts.

    python -m benchmarks.import_archive --posts 100000 --json

Each size is a made-up archive (a seeded zip with pictures, and posts with all fields that X writes), imported by the
real runner on SQLite in its own process. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .common import child_line

MEDIA_FILES, MEDIA_BYTES = 16, 500_000
SHARES = (0.1, 0.3, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--posts", type=int, default=100_000, help="posts in the largest archive (default: 100000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules", default="{}", help="cleaning rules other than the default ones, as JSON")
    parser.add_argument("--json", action="store_true", help="print nothing but the last line")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(import_here(options.child, json.loads(options.rules))))
        return
    runs = []
    for share in SHARES:
        run = measured(max(1, int(options.posts * share)), options.seed, options.rules)
        runs.append(run)
        if not options.json:
            print(
                f"{run['posts']:>9,} posts  {run['seconds']:6.1f} s ({run['processor_seconds']:.1f} of a processor)  "
                f"{run['posts_per_second']:8,.0f} posts/s  "
                f"{run['peak_mb']:5.0f} MB  "
                f"(archive of {run['archive_mb']:.0f} MB, unpacked {run['unpacked_mb']:.0f} MB)"
            )
    machine = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    last = runs[-1]
    figures = {name: last[name] for name in ("posts", "seconds", "processor_seconds", "posts_per_second", "peak_mb")}
    print(json.dumps({"benchmark": "import_archive", **figures, "runs": runs, "machine": machine}))


def measured(posts: int, seed: int, rules: str) -> dict[str, Any]:
    """Seconds from the upload to the finished corpus, and the peak memory of the process."""
    with tempfile.TemporaryDirectory(prefix="botfactory-bench-") as folder:
        archive = Path(folder) / "twitter-archive.zip"
        unpacked = write_archive(archive, posts, seed)
        environment = {
            **os.environ,
            "BOTFACTORY_HOME": str(Path(folder) / "var"),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "LOG_LEVEL": "ERROR",
        }
        arguments = ["--child", str(archive), "--rules", rules]
        result: dict[str, Any] = child_line("import_archive", *arguments, environment=environment)
        if result["posts"] != posts:
            raise SystemExit(f"{posts} posts were in the archive, {result['posts']} came in.")
        return {**result, "archive_mb": archive.stat().st_size / 1e6, "unpacked_mb": unpacked / 1e6}


def import_here(archive: Path, rules: dict[str, Any]) -> dict[str, Any]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "botfactory.settings"
    Path(os.environ["BOTFACTORY_HOME"]).mkdir(parents=True, exist_ok=True)
    import django

    django.setup()
    from django.core.management import call_command

    from botfactory.accounts.models import User
    from botfactory.jobs import worker
    from tweets.corpora import services
    from tweets.models import Corpus

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user(username="bench")
    began, processor_began = time.perf_counter(), time.process_time()
    cleaning_began = began

    def listener(kind: str, payload: dict[str, Any]) -> None:
        nonlocal cleaning_began
        if kind == "page":
            cleaning_began = time.perf_counter()

    with archive.open("rb") as file:
        job = services.import_file(owner=owner, file=file, file_name=archive.name, run_here=True, **rules)
    job = worker.run_claimed(job, listener=listener)
    ended, processor_seconds = time.perf_counter(), time.process_time() - processor_began
    if job.state != "succeeded":
        raise SystemExit(f"The import ended as {job.state}: {job.error_message}")
    corpus = Corpus.objects.get(pk=job.arguments["corpus"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    return {
        "posts": corpus.posts_found,
        "kept": corpus.posts_kept,
        "dropped": corpus.dropped,
        "seconds": round(ended - began, 2),
        "processor_seconds": round(processor_seconds, 2),
        "reading_seconds": round(cleaning_began - began, 2),
        "cleaning_seconds": round(ended - cleaning_began, 2),
        "posts_per_second": round(corpus.posts_found / (ended - began), 1),
        "peak_mb": round(peak, 1),
    }


def write_archive(path: Path, posts: int, seed: int) -> int:
    """Write the zip to `path`, and return the unpacked size of its post file."""
    rng = random.Random(seed)
    size = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for number in range(MEDIA_FILES):
            name = f"data/tweets_media/{number}.jpg"
            archive.writestr(zipfile.ZipInfo(name), rng.randbytes(MEDIA_BYTES))
        with archive.open("data/tweets.js", "w", force_zip64=True) as file:
            size += file.write(b"window.YTD.tweets.part0 = [\n")
            for number, item in enumerate(items(posts, rng)):
                text = json.dumps(item, indent=2, ensure_ascii=False)
                size += file.write((",\n" if number else "").encode() + text.encode())
            size += file.write(b"\n]")
    return size


def items(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Posts as in `data/tweets.js`, with everything that cleaning has rules for."""
    from tests.fakes.posts import make_posts

    moment = datetime(2024, 5, 1, tzinfo=UTC)
    pool = make_posts(min(count, 60_000), seed=rng.randrange(10_000))
    for number in range(count):
        text = pool[number % len(pool)]
        if number >= len(pool):
            text = f"{text} {pool[rng.randrange(len(pool))][:60]}"
        entities: dict[str, Any] = {"user_mentions": [], "urls": [], "symbols": [], "hashtags": []}
        more: dict[str, Any] = {}
        chance = rng.random()
        if chance < 0.15:
            text = f"RT @someone{rng.randrange(99)}: {text}"[:139] + "…"
        elif chance < 0.4:
            text = f"@friend{rng.randrange(99)} {text}"
            more = {"in_reply_to_user_id": "5", "in_reply_to_status_id_str": "6", "in_reply_to_screen_name": "friend"}
        elif chance < 0.42:
            text = f"I just unlocked the “{rng.choice(['Explorer', 'Local', 'Superstar'])}” badge! https://t.co/{_code(rng)}"
        elif chance < 0.44:
            text = pool[rng.randrange(min(count, len(pool)))]
        if rng.random() < 0.1:
            text += " #smalltown &amp; more &lt;3"
        if rng.random() < 0.05:
            text = text.replace(". ", ".\n\n") + "\nÜber alles: naïve café 😀🌧️"
        if rng.random() < 0.4:
            url = f"https://t.co/{_code(rng)}"
            text += f" {url}"
            entities["media"] = [_picture(url, number)]
            more["extended_entities"] = {"media": [_picture(url, number)]}
        moment -= timedelta(minutes=rng.randrange(5, 90))
        identity = str(1_790_000_000_000_000_000 - number * 1_000_003)
        yield {
            "tweet": {
                "edit_info": {"initial": {"editTweetIds": [identity], "editsRemaining": "5", "isEditEligible": True}},
                "retweeted": False,
                "source": '<a href="http://twitter.com/download/iphone" rel="nofollow">Twitter for iPhone</a>',
                "entities": entities,
                "display_text_range": ["0", str(len(text))],
                "favorite_count": str(rng.randrange(50)),
                "id_str": identity,
                "truncated": False,
                "retweet_count": "1",
                "id": identity,
                "possibly_sensitive": False,
                "created_at": moment.strftime("%a %b %d %H:%M:%S +0000 %Y"),
                "favorited": False,
                "full_text": text,
                "lang": "en",
                **more,
            }
        }


def _code(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijkmnpqrstuvwxyzABCDEFGH23456789", k=10))


def _picture(url: str, number: int) -> dict[str, Any]:
    size = {"w": "680", "h": "510", "resize": "fit"}
    return {
        "expanded_url": f"https://twitter.com/someone/status/{number}/photo/1",
        "indices": ["30", "53"],
        "url": url,
        "media_url": f"http://pbs.twimg.com/media/{number:09}.jpg",
        "id_str": str(number),
        "id": str(number),
        "media_url_https": f"https://pbs.twimg.com/media/{number:09}.jpg",
        "sizes": {"small": size, "large": size, "thumb": size, "medium": size},
        "type": "photo",
        "display_url": f"pic.twitter.com/{url[-10:]}",
    }


if __name__ == "__main__":
    main()
