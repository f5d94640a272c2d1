"""Corpora: brought by a person, imported page by page, cleaned, reported on, deleted."""

from __future__ import annotations

import uuid
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Length

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.listing import holding
from botfactory.words import counted, on_one_line
from tweets import audit, deletion, idle, offered, uploads, whose
from tweets.budget import X_POSTS, bought_for
from tweets.cleaning import CleaningRules
from tweets.errors import (
    BadName,
    CorpusTooSmall,
    NotAsked,
    NothingGiven,
    NothingNewer,
)
from tweets.models import BLEND, AuditEntry, Corpus
from tweets.rows import insert
from tweets.sources import base, detect_kind
from tweets.sources.accounts import OF_BARE_NAMES
from tweets.sources.x.costs import SMALLEST_PAGE

IMPORT = idle.IMPORT

LONGEST_NAME = 80
#: Below this a model can only learn by heart: refused.
MIN_CHARACTERS = 6_000
#: Below this a model learns little of a voice: a warning.
FEW_CHARACTERS = 40_000

HEAD_BYTES = 4_096


def corpora_for_user(user: Any) -> QuerySet[Corpus]:
    """The corpora that `user` may see: their own."""
    return Corpus.objects.filter(owner=user) if user.is_authenticated and user.is_active else Corpus.objects.none()


def find(corpora: QuerySet[Corpus], *, words: str = "", state: str = "") -> QuerySet[Corpus]:
    """Return those with all the words in their name or account, in this state."""
    found = corpora.filter(state=state) if state else corpora
    return found.filter(holding(words.replace("@", " "), "name", "handle")).order_by("-created_at", "pk")


def with_trouble(corpora: QuerySet[Corpus]) -> QuerySet[Corpus]:
    """The corpora, each with `trouble`, the sentence of its newest import if that failed; "" where it was cancelled."""
    newest = Job.objects.filter(subject_id=OuterRef("pk"), kind=IMPORT).order_by("-created_at")
    return corpora.annotate(trouble=Subquery(newest.values("error_message")[:1]))


def replaceable(user: Any, corpus_id: uuid.UUID | None) -> Corpus | None:
    """The corpus in whose place the person may bring other posts, since its import failed; None for any other."""
    corpus = corpora_for_user(user).filter(pk=corpus_id).first() if corpus_id is not None else None
    return corpus if corpus is not None and corpus.can_be_replaced else None


def corpus_for_user(user: Any, corpus_id: uuid.UUID) -> Corpus:
    """The corpus; Corpus.DoesNotExist for a stranger as for an id that was never given out."""
    return corpora_for_user(user).get(pk=corpus_id)


def import_text(
    *,
    owner: User,
    text: str,
    basis: str = Corpus.Basis.OWN,
    account: str = "",
    name: str = "",
    instead: Corpus | None = None,
    run_here: bool = False,
    **rules: bool,
) -> Job:
    """A corpus of pasted text, a post a line, whose import is queued. `account`, `instead` as for `import_file`."""
    if not text.strip():
        raise NothingGiven("There is no text yet: paste your posts, one on each line.")
    corpus = Corpus(owner=owner, basis=basis, source="text", file_name="pasted.txt", **rules)
    corpus.name = corpus_name(name, "Pasted posts")
    whose.attribute(corpus, whose.account_named(account))
    uploads.keep(corpus, BytesIO(text.encode("utf-8", "ignore")), "pasted.txt")
    return submit_new(corpus, instead=instead, run_here=run_here)


def import_file(
    *,
    owner: User,
    file: BinaryIO,
    file_name: str,
    basis: str = Corpus.Basis.OWN,
    account: str = "",
    name: str = "",
    column: str = "",
    instead: Corpus | None = None,
    run_here: bool = False,
    **rules: bool,
) -> Job:
    """A corpus of an uploaded file or X archive, whose import is queued. The file is kept until that has succeeded.

    `column` names the text column of a table, or the field of objects, where it is not to be found. `account` is whose
    posts these are, such as `@name`: a public figure's has to be named, unless the file is an archive that names it.
    `instead` is a corpus whose import failed: it is deleted as this one begins, unless it has been tried again.
    Raises AccountNeeded, BadHandle and OptedOut.
    """
    base_name = Path(file_name.replace("\\", "/")).name[:200] or "upload"
    typed = whose.account_named(account)
    head = file.read(HEAD_BYTES)
    if not head.strip():
        raise NothingGiven(f"{base_name} is empty: choose the file that holds your posts.")
    corpus = Corpus(owner=owner, basis=basis, source=detect_kind(base_name, head), file_name=base_name, **rules)
    corpus.name = corpus_name(name, Path(base_name).name.split(".")[0])
    uploads.keep(corpus, file, base_name, head=head)
    try:
        whose.attribute(corpus, typed)
    except BaseException:
        uploads.remove(corpus)
        raise
    return submit_new(corpus, instead=instead, run_here=run_here, column=column.strip())


def import_handle(
    *,
    owner: User,
    handle: str,
    network: str = OF_BARE_NAMES,
    basis: str = Corpus.Basis.OWN,
    name: str = "",
    cursor: str = "",
    instead: Corpus | None = None,
    run_here: bool = False,
    **rules: bool,
) -> Job:
    """A corpus of the newest posts of an account, whose import is queued. `network` is whose a bare `@name` is.

    With the `cursor` of an account of X that has been looked up it is not looked up (and paid for) again.
    """
    account = whose.account_to_bring(handle, network=network)
    corpus = Corpus(owner=owner, basis=basis, source=account.network, cursor=cursor, **rules)
    corpus.handle, corpus.network = account.handle, account.network
    corpus.name = corpus_name(name, corpus.account)
    return submit_new(corpus, instead=instead, run_here=run_here)


def bring_newer(corpus: Corpus) -> Job:
    """An import of what the account has posted since, into the same corpus; nothing older is read (or bought) again."""
    with transaction.atomic():
        corpus = idle.lock(corpus)
        require_newer(corpus)
        corpus.state = Corpus.State.IMPORTING
        corpus.save(update_fields=["state"])
        limits.require_room(corpus.owner, _bought(corpus))
        audit.record_corpus(AuditEntry.Action.IMPORT, corpus, by=corpus.owner, source=corpus.source, newer=True)
        return submit_import(corpus, newer=True)


def require_newer(corpus: Corpus) -> None:
    """Returns where newer posts can be brought now; else says what is in the way."""
    if not corpus.comes_from_network:
        raise NothingNewer("Only posts of an account can be brought up to date. Bring the newer file as new posts.")
    offered.require_offered(corpus.source)
    whose.require_not_opted_out(corpus.source, corpus.handle)
    idle.require_idle(corpus)


def submit_new(corpus: Corpus, *, instead: Corpus | None = None, run_here: bool = False, column: str = "") -> Job:
    """The corpus has its row, and its import is queued. LimitReached where its owner has enough (`jobs.submit`)."""
    corpus.stored_bytes = uploads.size_of(corpus)
    try:
        with transaction.atomic():
            if instead is not None:
                deletion.delete_failed(instead, by=corpus.owner)
            if not run_here:
                room = {"corpora": 1, "stored_mb": max(1, limits.megabytes(corpus.stored_bytes))}
                limits.require_room(corpus.owner, room | _bought(corpus))
            corpus.save(force_insert=True)
            audit.record_corpus(
                AuditEntry.Action.IMPORT, corpus, by=corpus.owner, source=corpus.source, basis=corpus.basis
            )
            return submit_import(corpus, run_here=run_here, column=column)
    except BaseException:
        uploads.remove(corpus)
        raise


def _bought(corpus: Corpus) -> dict[str, int]:
    """What an import buys at least, as it counts against the limits of its owner."""
    return {X_POSTS: SMALLEST_PAGE} if offered.is_paid(corpus.source) else {}


def submit_import(corpus: Corpus, *, run_here: bool = False, newer: bool = False, column: str = "") -> Job:
    more: dict[str, Any] = {"newer": True} if newer else {"column": column} if column else {}
    return jobs.submit(
        owner=corpus.owner,
        kind=IMPORT,
        title=f"{'Newer posts of' if newer else 'Blend' if corpus.source == BLEND else 'Import'} {corpus.name}",
        arguments={"corpus": str(corpus.pk), **more},
        subject_id=corpus.pk,
        run_here=run_here,
    )


def last_import(corpus: Corpus) -> Job | None:
    """The newest import into the corpus, however it ended."""
    return Job.objects.filter(subject_id=corpus.pk, kind=IMPORT).order_by("-created_at").first()


def name_column(corpus: Corpus, column: str) -> Job:
    """The import that asked which column holds the posts is queued again and reads this one; the file is still here."""
    column = column.strip()
    if not column:
        raise NothingGiven("Name the column that holds the posts, or its number.")
    with transaction.atomic():
        job = last_import(corpus)
        if job is None or (job.state, job.error_code) != (State.FAILED, base.WhichColumn.code):
            raise NotAsked("No import of these posts asks for a column: they have one, or failed for another reason.")
        if uploads.file_of(corpus) is None:
            raise NotAsked("The uploaded file is no longer there: bring it once more, and name the column with it.")
        Job.objects.filter(pk=job.pk).update(arguments={**job.arguments, "column": column})
        jobs.retry(job)
    job.refresh_from_db()
    return job


def reclean(corpus: Corpus, rules: CleaningRules) -> Job:
    """The corpus is cleaned again by these rules; nothing is imported (or bought) again."""
    with transaction.atomic():
        corpus = idle.lock_idle(corpus)
        corpus.state, corpus.cleaning_rules = Corpus.State.IMPORTING, rules
        corpus.save(update_fields=["state", "rules"])
        audit.record_corpus(AuditEntry.Action.RECLEAN, corpus, by=corpus.owner, rules=rules.as_dict())
        return submit_import(corpus)


def add_page(corpus: Corpus, page: base.Page) -> int:
    """Store the posts of a page with the place of the next page, in one transaction; return how many were new."""
    with transaction.atomic():
        new = insert(corpus, page.posts)
        corpus.cursor = page.cursor or ""
        # Once complete, it stays so: what is newer comes on top.
        corpus.is_complete = corpus.is_complete or page.cursor is None
        Corpus.objects.filter(pk=corpus.pk).update(
            posts_found=F("posts_found") + new, cursor=corpus.cursor, is_complete=corpus.is_complete
        )
        corpus.refresh_from_db(fields=["posts_found"])
    return new


def forget_upload(corpus: Corpus) -> None:
    """The uploaded file is gone: its posts are in the database, and an archive holds more than posts."""
    texts = corpus.posts.aggregate(stored=Sum(Length("text") + Length("cleaned")))
    with transaction.atomic():
        Corpus.objects.filter(pk=corpus.pk).update(stored_bytes=texts["stored"] or 0)
        uploads.remove_when_committed(corpus)


def too_small_sentence(corpus: Corpus) -> str:
    few = (
        f"{counted(corpus.characters, 'character')} {'is' if corpus.characters == 1 else 'are'} too few to learn from."
    )
    return (
        f"{few} You need at least {MIN_CHARACTERS:,} (about {MIN_CHARACTERS // 80} posts). Bring more posts, or "
        "keep replies if most of yours are replies."
    )


def require_enough(corpus: Corpus) -> None:
    """Returns when a model can be trained on the corpus; else says what is in the way."""
    idle.require_ready(corpus)
    if corpus.characters < MIN_CHARACTERS:
        raise CorpusTooSmall(too_small_sentence(corpus))


def training_posts(corpus: Corpus) -> list[str]:
    """The cleaned posts that are learned from, in a fixed order."""
    return list(corpus.posts.filter(dropped="").order_by("pk").values_list("cleaned", flat=True))


def all_posts(corpus: Corpus) -> list[str]:
    """Every post, also those that the rules leave out: cleaned where that is known, else as its source had it."""
    rows = corpus.posts.order_by("pk").values_list("cleaned", "text")
    return [cleaned or text for cleaned, text in rows]


def register_limits() -> None:
    """What corpora count is registered with the limits. For AppConfig.ready."""
    limits.register_counter("corpora", lambda user: Corpus.objects.filter(owner=user).count())
    limits.register_counter("stored_mb", _stored_mb)
    limits.register_counter(X_POSTS, bought_for)


def _stored_mb(user: User) -> int:
    """Uploads while they are kept, then their posts."""
    stored = Corpus.objects.filter(owner=user).aggregate(stored=Sum("stored_bytes"))["stored"]
    return limits.megabytes(stored or 0)


def corpus_name(given: str, default: str) -> str:
    """Return the name that was given, else as much of the other one as fits. BadName for one that is too long."""
    name = on_one_line(given)
    if len(name) > LONGEST_NAME:
        raise BadName(f"A name has at most {LONGEST_NAME} characters. This one has {len(name)}: choose a shorter one.")
    return name or on_one_line(default)[:LONGEST_NAME] or "Posts"
