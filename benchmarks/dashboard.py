"""How fast the dashboard and the lists of somebody with many bots and jobs are in Chromium.

Fills a database of its own, opens each page in a new browser context, whose cache is empty, and prints its queries, the
server's processor time, the kB of scripts and styles as they are sent, the largest contentful paint (LCP) and the
layout shift. The browser runs on the same machine as the server.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, Response, sync_playwright

from . import common
from .common import say
from .served import Folder, free_port, wait_until_ready

PAGES: Final = ("/", "/models/", "/jobs/", "/corpora/")
VIEWPORTS: Final = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
#: Milliseconds after the load, in which a page may still move.
SETTLES: Final = 1_000

FILL: Final = """
import json
import time
from datetime import timedelta
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from benchmarks.posts import made_posts
from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from models_app.models import Generation, TrainedModel
from tweets.models import Corpus
owner, now, posts = User.objects.get(username="bench"), timezone.now(), list(made_posts(2000))
ago = lambda minutes: now - timedelta(minutes=minutes)
corpora = [
    Corpus(owner=owner, name=f"Posts {n}", source="text", state="failed" if n % 10 == 9 else "ready", posts_found=900,
        posts_kept=812, characters=90_000, created_at=ago(90 * n))
    for n in range(max(1, BOTS // 4))
]
Corpus.objects.bulk_create(corpora)
bots = [
    TrainedModel(owner=owner, name=f"Bot {n}", directory="none", corpus=corpora[n % len(corpora)], posts=812,
        corpus_name=corpora[n % len(corpora)].name, tier="fluent" if n % 3 == 0 else "quick",
        visibility="unlisted" if n % 7 == 0 else "private", kept_epoch=5, bits_per_character=1.7 + n % 40 / 100,
        created_at=ago(60 * n), history=[
            {"epoch": epoch, "train_loss": 1.9 / epoch ** 0.2, "validation_loss": 1.9 / epoch ** 0.2 + n % 5 / 50,
                "samples": posts[(n + epoch) * 4 % 1900:][:4]}
            for epoch in range(1, 6)
        ])
    for n in range(BOTS)
]
TrainedModel.objects.bulk_create(bots)
Generation.objects.bulk_create(
    Generation(model=bot, owner=owner, posts=posts[n * 5 % 1900:][:5], seconds=1, created_at=ago(n * 7 + batch))
    for n, bot in enumerate(bots) for batch in range(3) if n % 4
)
STATES = ["running"] * 3 + ["queued"] * 40 + ["failed"] * 30
FAILED = {"error_code": "disk_full", "error_message": "The disk is full."}
Job.objects.bulk_create(
    Job(owner=owner, kind=("import", "fine_tune")[n % 2], queue="nowhere", subject_id=corpora[n % len(corpora)].pk,
        title=f"Train Bot {n}" if n % 2 else f"Import {n}", state=STATES[n] if n < len(STATES) else "succeeded",
        progress={"fraction": 0.4}, created_at=ago(n), finished_at=None if n < 43 else ago(n - 1),
        **(FAILED if STATES[n:n + 1] == ["failed"] else {}))
    for n in range(JOBS)
)
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(owner)
asked, seconds = {}, {}
for path in PAGES:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200, path
    asked[path] = len(queries)
    begun = time.process_time()
    for _ in range(5):
        client.get(path)
    seconds[path] = (time.process_time() - begun) / 5
print(json.dumps({"session": client.cookies["sessionid"].value, "queries": asked, "seconds": seconds}))
"""

OBSERVE: Final = """
window.seen = {lcp: 0, shift: 0};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.seen.lcp = entry.startTime;
}).observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.seen.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page did in a browser: milliseconds to the largest paint, the layout shift, kB of scripts and styles."""

    lcp: float
    shift: float
    kilobytes: float


def main(arguments: list[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--bots", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", type=Path, default=common.BASE, help="a base model")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of each page")
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = {"machine": common.machine(), "bots": asked.bots, "jobs": asked.jobs, "pages": {}}
    with tempfile.TemporaryDirectory() as place, served(Path(place), asked.base) as (home, url):
        say(f"making {asked.bots} bots and {asked.jobs} jobs")
        code = FILL.replace("BOTS", str(asked.bots)).replace("JOBS", str(asked.jobs)).replace("PAGES", repr(PAGES))
        filled = json.loads(home.shell(code)[-1])
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
            for path in PAGES:
                page: dict[str, Any] = {
                    "queries": filled["queries"][path],
                    "processor_ms": 1000 * filled["seconds"][path],
                }
                for name in VIEWPORTS:
                    # The first visit fills the server's caches.
                    visits = [visit(browser, url, path, name, filled["session"]) for _ in range(asked.rounds + 1)][1:]
                    page["kilobytes"] = visits[0].kilobytes
                    page[name] = {
                        "lcp_ms": common.spread([each.lcp for each in visits]),
                        "shift": max(each.shift for each in visits),
                    }
                if asked.pictures:
                    take_pictures(browser, url, path, filled["session"], asked.pictures)
                found["pages"][path] = page
            browser.close()
    report(found)
    if asked.json:
        for page in found["pages"].values():
            for name in VIEWPORTS:
                page[name]["lcp_ms"] = page[name]["lcp_ms"].median
        common.json_line(found)


@contextmanager
def served(folder: Path, base: Path) -> Iterator[tuple[Folder, str]]:
    """A web process with an empty database and Valkey, and its address. No worker runs, so no job moves."""
    home, port = Folder(folder, base), free_port()
    say("starting")
    home.manage("migrate", "--verbosity", "0")
    home.manage("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@example.org")
    processes = [home.start("valkey", *home.valkey())]
    try:
        web = home.start("web", *home.web(port))
        processes.append(web)
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(f"{url}/healthz", [web], home, "web")
        yield home, url
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


@contextmanager
def opened(browser: Browser, url: str, viewport: str, session: str, **options: Any) -> Iterator[Page]:
    context = browser.new_context(viewport=VIEWPORTS[viewport], **options)  # type: ignore[arg-type]
    context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    yield context.new_page()
    context.close()


def visit(browser: Browser, url: str, path: str, viewport: str, session: str) -> Visit:
    """Open the page with an empty cache."""
    with opened(browser, url, viewport, session) as page:
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))
        page.add_init_script(OBSERVE)
        page.goto(f"{url}{path}", wait_until="load")
        page.wait_for_timeout(SETTLES)
        seen = page.evaluate("window.seen")
        code = [answer for answer in answers if answer.request.resource_type in ("script", "stylesheet")]
        size = sum(answer.request.sizes()["responseBodySize"] for answer in code)
        return Visit(lcp=seen["lcp"], shift=seen["shift"], kilobytes=size / 1000)


def take_pictures(browser: Browser, url: str, path: str, session: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for viewport in VIEWPORTS:
        for theme in ("light", "dark"):
            with opened(browser, url, viewport, session, color_scheme=theme) as page:
                page.goto(f"{url}{path}", wait_until="load")
                name = path.strip("/").replace("/", "-") or "dashboard"
                page.screenshot(path=folder / f"{name}-{viewport}-{theme}.png")


def report(found: dict[str, Any]) -> None:
    print(f"{found['bots']} bots and {found['jobs']} jobs; LCP: median (lowest to highest) in ms\n")
    rows = [
        (
            path,
            page["queries"],
            f"{page['processor_ms']:.0f}",
            f"{page['kilobytes']:.1f}",
            *(value for name in VIEWPORTS for value in (page[name]["lcp_ms"].text(0), f"{page[name]['shift']:.3f}")),
        )
        for path, page in found["pages"].items()
    ]
    shown = [f"{what}, {name}" for name in VIEWPORTS for what in ("LCP", "layout shift")]
    common.table(["page", "queries", "ms of the server’s processor", "kB of scripts and styles", *shown], rows)


if __name__ == "__main__":
    main()
