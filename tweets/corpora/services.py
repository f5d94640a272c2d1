"""Corpora: imported page by page, cleaned again, updated with newer posts."""

from __future__ import annotations

import uuid
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Lower
from django.db.models.sql.compiler import SQLCompiler
from django.utils.translation import gettext as _

from botfactory.accounts import limits, locking, meters
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.web.listing import holding
from botfactory.words.plurals import on_one_line
from botfactory.words.translatable import Sentence, mark
from tweets.cleaning import CleaningRules
from tweets.corpora import audit, deletion, idle, offered, uploads, whose
from tweets.corpora.budget import X_POSTS
from tweets.corpora.errors import BadName, NotAsked, NothingGiven, NothingNewer
from tweets.corpora.rows import insert
from tweets.models import BLEND, AuditEntry, Corpus
from tweets.sources import base, detect_kind
from tweets.sources.accounts import OF_BARE_NAMES
from tweets.sources.x.costs import SMALLEST_PAGE

IMPORT = idle.IMPORT

LONGEST_NAME = 80

HEAD_BYTES = 4_096


def corpora_for_user(user: Any) -> QuerySet[Corpus]:
    """Return the corpora that `user` may see: their own."""
    return Corpus.objects.filter(owner=user) if user.is_authenticated and user.is_active else Corpus.objects.none()


def find(corpora: QuerySet[Corpus], *, words: str = "", state: str = "", sort: str = "") -> QuerySet[Corpus]:
    """Return the corpora that have all the words in their name or account and are in this state.

    `sort`: "name", "posts" for the largest first, or "" for the newest first.
    """
    found = corpora.filter(state=state) if state else corpora
    orders: dict[str, tuple[Any, ...]] = {
        "name": (Lower("name"), "pk"),
        "posts": ("-posts_kept", "-created_at", "pk"),
        "": ("-created_at", "pk"),
    }
    return found.filter(holding(words.replace("@", " "), "name", "handle")).order_by(*orders[sort])


def with_trouble(corpora: QuerySet[Corpus]) -> QuerySet[Corpus]:
    """Annotate each corpus with `trouble`: why its newest import failed, or "" if it was cancelled."""
    newest = Job.objects.filter(subject_id=OuterRef("pk"), kind=IMPORT).order_by("-created_at")
    return corpora.annotate(
        trouble=Subquery(newest.values("error_message")[:1]), trouble_words=Subquery(newest.values("words")[:1])
    )


def replaceable(user: Any, corpus_id: uuid.UUID | None) -> Corpus | None:
    """Return the corpus if its import failed, so that the person may replace it with other posts; else None."""
    corpus = corpora_for_user(user).filter(pk=corpus_id).first() if corpus_id is not None else None
    return corpus if corpus is not None and corpus.can_be_replaced else None


def corpus_for_user(user: Any, corpus_id: uuid.UUID) -> Corpus:
    """Return the corpus. Raises Corpus.DoesNotExist for a stranger, exactly as for an id that never existed."""
    return corpora_for_user(user).select_related("owner").get(pk=corpus_id)


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
    """Create a corpus from pasted text, one post on each line, and queue its import.

    `account` and `instead` are those of `import_file`.
    """
    if not text.strip():
        raise NothingGiven(_("There is no text yet. Paste your posts, one on each line."))
    corpus = Corpus(owner=owner, basis=basis, source="text", file_name="pasted.txt", **rules)
    corpus.name = corpus_name(name, _("Pasted posts"))
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
    """Create a corpus from an uploaded file and queue its import. The file is kept until the import succeeds.

    - `column`: the text column of a table, or the field of objects, if it can't be detected
    - `account`: who wrote the posts, such as `@name`; required for a public figure's, unless the file names it
    - `instead`: a corpus whose import failed; it's deleted when this import begins, unless somebody has tried it again

    Raises AccountNeeded, BadHandle and OptedOut.
    """
    base_name = Path(file_name.replace("\\", "/")).name[:200] or "upload"
    typed = whose.account_named(account)
    head = file.read(HEAD_BYTES)
    if not head.strip():
        raise NothingGiven(_("%(file)s is empty. Choose the file that contains your posts.") % {"file": base_name})
    corpus = Corpus(owner=owner, basis=basis, source=detect_kind(base_name, head), file_name=base_name, **rules)
    corpus.name = corpus_name(name, Path(base_name).name.split(".")[0])
    uploads.keep(corpus, file, base_name, head=head)
    try:
        whose.attribute(corpus, typed)
    except BaseException:
        uploads.remove(corpus)
        raise
    if corpus.handle:
        corpus.name = corpus_name(name, corpus.account)
    return submit_new(corpus, instead=instead, run_here=run_here, column=column.strip())


def import_handle(
    *,
    owner: User,
    handle: str,
    network: str = OF_BARE_NAMES,
    basis: str = Corpus.Basis.OWN,
    name: str = "",
    cursor: str = "",
    confirmation: str = "",
    instead: Corpus | None = None,
    run_here: bool = False,
    **rules: bool,
) -> Job:
    """Create a corpus for the newest posts of an account and queue its import. A bare `@name` is one of `network`.

    With the `cursor` of a lookup, the account isn't looked up (and paid for) again. A `confirmation` (see
    `costs.digest_of`) is good for one import: if the owner has a job with it, that job is returned, and nothing is
    created.
    """
    account = whose.account_to_bring(handle, network=network)
    corpus = Corpus(owner=owner, basis=basis, source=account.network, cursor=cursor, **rules)
    corpus.handle, corpus.network = account.handle, account.network
    corpus.name = corpus_name(name, corpus.account)
    return submit_new(corpus, instead=instead, run_here=run_here, confirmation=confirmation)


def bring_newer(corpus: Corpus) -> Job:
    """Queue an import of newer posts into the same corpus. Older ones aren't read (or bought) again."""
    with transaction.atomic():
        corpus = idle.lock(corpus)
        require_newer(corpus)
        corpus.state = Corpus.State.IMPORTING
        corpus.save(update_fields=["state"])
        limits.require_room(corpus.owner, _bought(corpus))
        audit.record_corpus(AuditEntry.Action.IMPORT, corpus, by=corpus.owner, source=corpus.source, newer=True)
        return submit_import(corpus, newer=True)


def require_newer(corpus: Corpus) -> None:
    """Return if newer posts can be imported now; else raise the CorpusError that says why not."""
    if not corpus.comes_from_network:
        raise NothingNewer(_("Newer posts can only be imported from an account. Import the newer file as new posts."))
    offered.require_offered(corpus.source)
    whose.require_not_opted_out(corpus.source, corpus.handle)
    idle.require_idle(corpus)


def submit_new(
    corpus: Corpus,
    *,
    instead: Corpus | None = None,
    run_here: bool = False,
    column: str = "",
    confirmation: str = "",
) -> Job:
    """Save the new corpus and queue its import. Raises LimitReached if its owner has no room for it.

    If the owner has a job with this `confirmation`, return that one instead, whatever has become of it.
    """
    corpus.stored_bytes = uploads.size_of(corpus)
    try:
        with transaction.atomic():
            if instead is not None:
                deletion.delete_failed(instead, by=corpus.owner)
            if confirmation:
                locking.lock(corpus.owner.pk)
                confirmed = jobs.jobs_for_user(corpus.owner).filter(kind=IMPORT, arguments__confirmation=confirmation)
                if (earlier := confirmed.first()) is not None:
                    return earlier
            if not run_here:
                room = {"corpora": 1, "stored_mb": max(1, limits.megabytes(corpus.stored_bytes))}
                limits.require_room(corpus.owner, room | _bought(corpus))
            corpus.save(force_insert=True)
            audit.record_corpus(
                AuditEntry.Action.IMPORT, corpus, by=corpus.owner, source=corpus.source, basis=corpus.basis
            )
            return submit_import(corpus, run_here=run_here, column=column, confirmation=confirmation)
    except BaseException:
        uploads.remove(corpus)
        raise


def _bought(corpus: Corpus) -> dict[str, int]:
    """Return what an import buys at least, to compare it with the limits of its owner."""
    return {X_POSTS: SMALLEST_PAGE} if offered.is_paid(corpus.source) else {}


def submit_import(
    corpus: Corpus,
    *,
    run_here: bool = False,
    is_owed: bool = False,
    newer: bool = False,
    column: str = "",
    confirmation: str = "",
) -> Job:
    """Queue the job that fills or cleans the corpus. `run_here` and `is_owed` are those of `jobs.submit`."""
    more: dict[str, Any] = {"newer": newer, "column": column, "confirmation": confirmation}
    return jobs.submit(
        owner=corpus.owner,
        kind=IMPORT,
        title=_title(corpus, newer=newer),
        arguments={"corpus": str(corpus.pk), **{name: value for name, value in more.items() if value}},
        subject_id=corpus.pk,
        run_here=run_here,
        is_owed=is_owed,
    )


def _title(corpus: Corpus, *, newer: bool) -> str:
    """Return the title of an import in English, with its template, since others read it in other languages."""
    if newer:
        return Sentence(mark("Newer posts of %(name)s"), name=corpus.name)
    if corpus.source == BLEND:
        return Sentence(mark("Blend %(name)s"), name=corpus.name)
    return Sentence(mark("Import %(name)s"), name=corpus.name)


def last_import(corpus: Corpus) -> Job | None:
    """Return the newest import into the corpus, however it ended."""
    return Job.objects.filter(subject_id=corpus.pk, kind=IMPORT).order_by("-created_at").first()


def name_column(corpus: Corpus, column: str) -> Job:
    """Queue the import that asked for a column again. It reads this column of the same file."""
    column = column.strip()
    if not column:
        raise NothingGiven(_("Enter the name or number of the column that contains the posts."))
    with transaction.atomic():
        job = last_import(corpus)
        if job is None or (job.state, job.error_code) != (State.FAILED, base.WhichColumn.code):
            raise NotAsked(_("No import of these posts is waiting for the name of a column."))
        if uploads.file_of(corpus) is None:
            raise NotAsked(_("The uploaded file no longer exists. Upload it again and name the column."))
        Job.objects.filter(pk=job.pk).update(arguments={**job.arguments, "column": column})
        jobs.retry(job)
    job.refresh_from_db()
    return job


def reclean(corpus: Corpus, rules: CleaningRules) -> Job:
    """Clean the corpus again with these rules. Nothing is imported (or bought) again."""
    with transaction.atomic():
        corpus = idle.lock_idle(corpus)
        corpus.state, corpus.cleaning_rules = Corpus.State.IMPORTING, rules
        corpus.save(update_fields=["state", "rules"])
        audit.record_corpus(AuditEntry.Action.RECLEAN, corpus, by=corpus.owner, rules=rules.as_dict())
        return submit_import(corpus)


def give_up_import(corpus: Corpus) -> None:
    """Mark a corpus that no job fills or cleans any more as failed, so that its owner can do something about it.

    Raises CorpusBusy and CorpusGone like `idle.lock_unused`.
    """
    with transaction.atomic():
        idle.lock_unused(corpus)
        Corpus.objects.filter(pk=corpus.pk, state=Corpus.State.IMPORTING).update(state=Corpus.State.FAILED)


def add_page(corpus: Corpus, page: base.Page) -> int:
    """Store the posts of a page with the place of the next page, in one transaction; return how many were new."""
    with transaction.atomic():
        new = insert(corpus, page.posts)
        corpus.cursor = page.cursor or ""
        corpus.account_id = corpus.account_id or page.account
        # Once complete, it stays complete: newer posts are added.
        corpus.is_complete = corpus.is_complete or page.cursor is None
        Corpus.objects.filter(pk=corpus.pk).update(
            posts_found=F("posts_found") + new,
            cursor=corpus.cursor,
            account_id=corpus.account_id,
            is_complete=corpus.is_complete,
        )
        corpus.refresh_from_db(fields=["posts_found"])
    return new


class _Bytes(Func):
    """The bytes of a text, where Django's Length counts characters."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> tuple[str, Any]:
        # SQLite has OCTET_LENGTH since 3.43 only.
        return super().as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **more)


def forget_upload(corpus: Corpus) -> None:
    """Delete the uploaded file: its posts are in the database, and an archive contains more than posts."""
    texts = corpus.posts.aggregate(stored=Sum(_Bytes("text") + _Bytes("cleaned")))
    with transaction.atomic():
        Corpus.objects.filter(pk=corpus.pk).update(stored_bytes=texts["stored"] or 0)
        uploads.remove_when_committed(corpus)


def register_limits() -> None:
    """Register with the limits what corpora count. For AppConfig.ready."""
    # The bytes of a corpus are those of its upload and, once that is deleted, of its posts.
    limits.register_rows("corpora", Corpus, is_stored=True)
    limits.register_counter([X_POSTS], lambda count: {X_POSTS: count.meters.used(X_POSTS, meters.this_month())})


def corpus_name(given: str, default: str) -> str:
    """Return the given name, else as much of the default as fits. Raises BadName if the given one is too long."""
    name = on_one_line(given)
    if len(name) > LONGEST_NAME:
        raise BadName(
            _("A name can have at most %(most)s characters. This one has %(number)s. Choose a shorter one.")
            % {"most": LONGEST_NAME, "number": len(name)}
        )
    return name or on_one_line(default)[:LONGEST_NAME] or _("Posts")
