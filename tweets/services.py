"""Corpora: brought by a person, imported page by page, cleaned, reported on, deleted."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from tweets.cleaning import Cleaner, CleaningRules
from tweets.models import Corpus, Post
from tweets.sources import SourceSettings, base, detect_kind
from tweets.sources.handles import parse_x_handle

IMPORT = "import"

#: Below this a model can only learn by heart: refused.
FEWEST_CHARACTERS = 6_000
#: Below this a model learns little of a voice: a warning.
FEW_CHARACTERS = 40_000

FILE_PAGE = 1_000
X_PAGE = 100
CHUNK = 2_000
HEAD_BYTES = 4_096


class CorpusError(Exception):
    """A sentence for the person; `code` for programs."""

    code = "corpus_error"


class NotOffered(CorpusError):
    code = "not_offered"


class UploadTooLarge(CorpusError):
    code = "upload_too_large"


class NothingGiven(CorpusError):
    code = "nothing_given"


class BadHandle(CorpusError):
    code = "bad_handle"


class CorpusBusy(CorpusError):
    code = "corpus_busy"


class CorpusTooSmall(CorpusError):
    code = "corpus_too_small"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a corpus; `verdict` is "enough", "few" (a warning) or "too_few" (refused), `advice` a sentence."""

    found: int
    kept: int
    characters: int
    dropped: dict[str, int]
    verdict: str
    advice: str
    sample: list[str]


def corpora_for_user(user: Any) -> QuerySet[Corpus]:
    """The corpora that `user` may see: their own."""
    return Corpus.objects.filter(owner=user) if user.is_authenticated and user.is_active else Corpus.objects.none()


def corpus_for_user(user: Any, corpus_id: uuid.UUID) -> Corpus:
    """The corpus; Corpus.DoesNotExist for a stranger as for an id that was never given out."""
    return corpora_for_user(user).get(pk=corpus_id)


def x_is_offered() -> bool:
    return bool(settings.X_BEARER_TOKEN)


def import_text(*, owner: User, text: str, name: str = "", run_here: bool = False, **rules: bool) -> Job:
    """A corpus of pasted text, a post a line, whose import is queued."""
    if not text.strip():
        raise NothingGiven("There is no text yet: paste your posts, one on each line.")
    corpus = Corpus(owner=owner, name=_name(name, "Pasted posts"), source="text", file_name="pasted.txt", **rules)
    folder = upload_dir(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "upload.txt").write_text(text.encode("utf-8", "ignore").decode("utf-8"), encoding="utf-8")
    return _submit(corpus, run_here=run_here)


def import_file(
    *, owner: User, file: BinaryIO, file_name: str, name: str = "", run_here: bool = False, **rules: bool
) -> Job:
    """A corpus of an uploaded file or X archive, whose import is queued. The file is kept until that has succeeded."""
    base_name = Path(file_name.replace("\\", "/")).name[:200] or "upload"
    head = file.read(HEAD_BYTES)
    if not head.strip():
        raise NothingGiven(f"{base_name} is empty: choose the file that holds your posts.")
    corpus = Corpus(owner=owner, source=detect_kind(base_name, head), file_name=base_name, **rules)
    corpus.name = _name(name, Path(base_name).name.split(".")[0])
    folder = upload_dir(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _store(file, head, folder / f"upload{_suffixes(base_name)}")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _submit(corpus, run_here=run_here)


def import_handle(*, owner: User, handle: str, name: str = "", run_here: bool = False, **rules: bool) -> Job:
    """A corpus of the newest posts of an X account, whose import is queued."""
    if not x_is_offered():
        raise NotOffered(
            "Importing by X handle is not set up here: the operator has to set X_BEARER_TOKEN. "
            "Your own X archive works without it, and is complete."
        )
    try:
        screen_name = parse_x_handle(handle)
    except ValueError as error:
        raise BadHandle(str(error)) from None
    corpus = Corpus(owner=owner, name=_name(name, f"@{screen_name}"), source="x", handle=screen_name, **rules)
    return _submit(corpus, run_here=run_here)


def _submit(corpus: Corpus, *, run_here: bool) -> Job:
    try:
        with transaction.atomic():
            corpus.save(force_insert=True)
            return submit_import(corpus, run_here=run_here)
    except BaseException:
        shutil.rmtree(upload_dir(corpus), ignore_errors=True)
        raise


def submit_import(corpus: Corpus, *, run_here: bool = False) -> Job:
    return jobs.submit(
        owner=corpus.owner,
        kind=IMPORT,
        title=f"Import {corpus.name}",
        arguments={"corpus": str(corpus.pk)},
        subject_id=corpus.pk,
        run_here=run_here,
    )


def reclean(corpus: Corpus, **rules: bool) -> Job:
    """The corpus is cleaned again by other rules; nothing is imported (or bought) again."""
    with transaction.atomic():
        if not corpus.is_complete or busy_jobs(corpus).exists():
            raise CorpusBusy("A job is at work on these posts: wait until it has ended, or cancel it first.")
        Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.IMPORTING, **rules)
        corpus.refresh_from_db()
        return submit_import(corpus)


def busy_jobs(corpus: Corpus) -> QuerySet[Job]:
    return jobs.active_jobs(Job.objects.filter(subject_id=corpus.pk))


def upload_dir(corpus: Corpus) -> Path:
    return Path(settings.UPLOADS_DIR) / str(corpus.pk)


def upload_path(corpus: Corpus) -> Path | None:
    """The uploaded file, while it is kept."""
    folder = upload_dir(corpus)
    return next(iter(sorted(folder.iterdir())), None) if folder.is_dir() else None


def source_settings(corpus: Corpus) -> SourceSettings:
    return SourceSettings(
        x_bearer_token=settings.X_BEARER_TOKEN,
        x_api_url=settings.X_API_URL,
        page_size=X_PAGE if corpus.source == "x" else FILE_PAGE,
    )


def add_page(corpus: Corpus, page: base.Page) -> int:
    """The page's posts and the place of the next page are in the database together. Returns how many were new."""
    by_key = {post.key: post for post in page.posts}
    with transaction.atomic():
        known = set(corpus.posts.filter(key__in=by_key).values_list("key", flat=True))
        new = [
            Post(
                corpus=corpus,
                key=post.key,
                text=post.text,
                posted_at=post.created_at,
                is_repost=post.is_repost,
                is_reply=post.is_reply,
            )
            for key, post in by_key.items()
            if key not in known
        ]
        Post.objects.bulk_create(new, batch_size=500)
        corpus.posts_found += len(new)
        corpus.cursor = page.cursor or ""
        corpus.is_complete = page.cursor is None
        corpus.save(update_fields=["posts_found", "cursor", "is_complete"])
    return len(new)


def clean(corpus: Corpus) -> Iterator[int]:
    """Every post has its cleaned text or the reason why it was dropped; yields how many are done, chunk by chunk."""
    cleaner = Cleaner(CleaningRules(keep_reposts=corpus.keep_reposts, keep_replies=corpus.keep_replies))
    dropped: Counter[str] = Counter()
    kept = characters = done = last = 0
    while rows := list(corpus.posts.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        for row in rows:
            outcome = cleaner.clean(
                base.Post(
                    key=row.key,
                    text=row.text,
                    created_at=row.posted_at,
                    is_repost=row.is_repost,
                    is_reply=row.is_reply,
                )
            )
            row.cleaned = "" if outcome.dropped else outcome.text
            row.dropped = outcome.dropped or ""
            if outcome.dropped:
                dropped[str(outcome.dropped)] += 1
            else:
                kept += 1
                characters += len(outcome.text)
        Post.objects.bulk_update(rows, ["cleaned", "dropped"], batch_size=400)
        last, done = rows[-1].pk, done + len(rows)
        yield done
    corpus.posts_kept, corpus.characters, corpus.dropped = kept, characters, dict(sorted(dropped.items()))
    corpus.state = Corpus.State.READY
    corpus.save(update_fields=["posts_kept", "characters", "dropped", "state"])


def forget_upload(corpus: Corpus) -> None:
    """The uploaded file is gone: its posts are in the database, and an archive holds more than posts."""
    shutil.rmtree(upload_dir(corpus), ignore_errors=True)


def report(corpus: Corpus, *, sample: int = 12) -> Report:
    """What came of the corpus, with posts spread evenly over it as a sample."""
    if corpus.characters < FEWEST_CHARACTERS:
        verdict, advice = "too_few", too_small_sentence(corpus)
    elif corpus.characters < FEW_CHARACTERS:
        verdict = "few"
        advice = (
            f"{corpus.characters:,} characters are few: the bot will sound like these posts but repeat itself. "
            f"From {FEW_CHARACTERS:,} on it gets its own ideas."
        )
    else:
        verdict, advice = "enough", f"{corpus.characters:,} characters: enough to learn a voice."
    kept = corpus.posts.filter(dropped="")
    step = max(1, corpus.posts_kept // sample)
    keys = list(kept.order_by("pk").values_list("pk", flat=True))[::step][:sample] if corpus.is_ready else []
    texts = list(Post.objects.filter(pk__in=keys).order_by("pk").values_list("cleaned", flat=True))
    return Report(
        found=corpus.posts_found,
        kept=corpus.posts_kept,
        characters=corpus.characters,
        dropped=corpus.dropped,
        verdict=verdict,
        advice=advice,
        sample=texts,
    )


def too_small_sentence(corpus: Corpus) -> str:
    return (
        f"{corpus.characters:,} characters are too few to learn from: {FEWEST_CHARACTERS:,} are the least "
        f"(about {FEWEST_CHARACTERS // 80} posts). Bring more posts, or keep replies if most of yours are replies."
    )


def require_enough(corpus: Corpus) -> None:
    """Returns when a model can be trained on the corpus; else says what is in the way."""
    if not corpus.is_ready:
        raise CorpusBusy("These posts have not been imported yet: wait until the import has ended.")
    if corpus.characters < FEWEST_CHARACTERS:
        raise CorpusTooSmall(too_small_sentence(corpus))


def training_posts(corpus: Corpus) -> list[str]:
    """The cleaned posts that are learned from, in a fixed order."""
    return list(corpus.posts.filter(dropped="").order_by("pk").values_list("cleaned", flat=True))


def delete_corpus(corpus: Corpus) -> None:
    """The corpus is gone with its posts, files and jobs. Models that learned from it stay."""
    folder = upload_dir(corpus)
    with transaction.atomic():
        jobs.delete_jobs(Job.objects.filter(subject_id=corpus.pk))
        corpus.posts.all()._raw_delete(corpus.posts.db)
        Corpus.objects.filter(pk=corpus.pk).delete()
    shutil.rmtree(folder, ignore_errors=True)


def delete_corpora_of(user: User) -> None:
    for corpus in Corpus.objects.filter(owner=user):
        delete_corpus(corpus)


def _store(file: BinaryIO, head: bytes, path: Path) -> None:
    limit = settings.MAX_UPLOAD_MB * 1024 * 1024
    written = len(head)
    with path.open("wb") as target:
        target.write(head)
        while block := file.read(1024 * 1024):
            written += len(block)
            if written > limit:
                raise UploadTooLarge(
                    f"The file is larger than the {settings.MAX_UPLOAD_MB:,} MB that are allowed here. "
                    "Of an X archive, data/tweets.js alone is enough."
                )
            target.write(block)


def _suffixes(file_name: str) -> str:
    """The ending that says how to read the file, such as `.jsonl.gz`; nothing else of a name reaches the disk."""
    endings = [s.lower() for s in Path(file_name).suffixes[-2:] if s[1:].isalnum() and len(s) <= 8]
    return "".join(endings)


def _name(given: str, default: str) -> str:
    name = " ".join((given.strip() or default).replace("/", " ").split())
    return name[:80] or "Posts"
