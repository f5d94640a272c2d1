"""A bot as part of its owner's ZIP: what describes it, and its files. Restoring it trusts neither."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any, Final

from django.conf import settings
from pydantic import AliasChoices, Field, JsonValue, StringConstraints, ValidationError

from botfactory.accounts.models import User
from botfactory.files.untrusted import Facts, MadeAt
from botfactory.files.zip_files import BadZip, Member, ZipFolder
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence
from botfactory.your_data.parts import CantMove, Import, Things
from models_app import downloads
from models_app.bots import ancestry, files, pretrained, registry
from models_app.bots import base_files as base_archive
from models_app.bots.files import Fence
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError, Said, mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.sampling.context import CHARACTERS
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.state_file import StateError
from models_app.sharing import tags
from models_app.sharing.rows import LONGEST_TAG
from models_app.your_data.bases import meant, usable_by_all
from tweets.corpora import idle
from tweets.corpora.errors import CorpusGone, OptedOut
from tweets.models import Corpus

#: The largest ZIP of a bot, in bytes, and the most files in it.
LARGEST: Final = base_archive.LARGEST_MB * 1_000_000
_MAX_FILES: Final = 20
#: The largest context in bytes: each character takes at most 12 as an escape, each post 4 more, and the brackets 2.
_MAX_CONTEXT_BYTES: Final = 16 * CHARACTERS + 2
_BLOCK: Final = 1 << 16
_PIECE: Final = 1 << 18


class BadBot(Said):
    """The bot can't be restored; the message says why."""

    code = "bad_bot"


#: Why a bot can't be restored: all have a template. A full disk isn't among them: the job waits until there is room.
REFUSALS: Final = (BadBot, OptedOut, base_archive.BadArchive, CheckpointError)


class Epoch(Facts):
    """An epoch of the training. Early versions stored less."""

    epoch: int
    train_loss: float
    validation_loss: float
    bits_per_character: float | None = None
    learning_rate: float | None = None
    seconds: float | None = None
    best: bool = False
    samples: tuple[str, ...] = Field((), max_length=100)
    continued: dict[str, str] = Field({}, max_length=20)
    #: Of the first epoch: what the starting model wrote after the same openings.
    before: dict[str, str] = Field({}, max_length=20)


class Shares(Facts):
    bot: float | None
    held_out: float | None
    base: float | None


class Copied(Facts):
    #: The key of the learned post; None if only a parent learned it.
    post: str | None
    share: float
    run: int


class Surprise(Facts):
    #: The key of the held-out post. Early versions wrote a number that means nothing here.
    post: str | int | None
    base: tuple[float, ...] = Field(max_length=1000)
    bot: tuple[float, ...] = Field(max_length=1000)


class ToldApart(Facts):
    share: float = Field(ge=0, le=1)
    error: float
    posts: int = Field(ge=1)


class Report(Facts):
    """A report card. What early versions didn't measure is missing."""

    bits_per_character: float
    base_bits_per_character: float
    start_bits_per_character: float | None = None
    measured: int = 0
    known_to_start: int = 0
    asked: int = 0
    written: int = 0
    temperature: float = 0
    seed: int = 0
    classifier_posts: int = 0
    novelty: Shares = Shares(bot=None, held_out=None, base=None)
    copies: tuple[Copied, ...] = Field((), max_length=1000)
    voice: Shares = Shares(bot=None, held_out=None, base=None)
    real_words: Shares = Shares(bot=None, held_out=None, base=None)
    told_apart: ToldApart | None = None
    surprise: tuple[Surprise, ...] = Field((), max_length=100)
    sense: float | None = Field(None, ge=0, le=3)


#: The parts of a report card that refer to posts of the corpus.
_OF_POSTS: Final = ("copies", "surprise")


#: The network and the handle of an account.
Learned = tuple[Annotated[str, StringConstraints(max_length=16)], Annotated[str, StringConstraints(max_length=320)]]


class BotFacts(Facts):
    """What `describe` returns, as far as it counts for a new bot. Visibility doesn't: it's private."""

    id: uuid.UUID
    name: str = Field(min_length=1, max_length=80)
    corpus: uuid.UUID | None
    corpus_name: str = Field(max_length=80)
    parent: uuid.UUID | None
    parent_name: str = Field(max_length=240)
    parent_sha256: str = Field("", max_length=64)
    learned_accounts: tuple[Learned, ...] = Field((), max_length=1000)
    posts: int = Field(ge=0, le=2_000_000_000)
    characters: int = Field(ge=0, le=2_000_000_000)
    training: dict[str, JsonValue] = Field(max_length=100)
    history: tuple[Epoch, ...] = Field(max_length=10_000)
    #: Early versions called it best_epoch.
    kept_epoch: int | None = Field(ge=0, le=10_000, validation_alias=AliasChoices("kept_epoch", "best_epoch"))
    interpolation: float | None = Field(None, ge=0, le=1)
    bits_per_character: float | None
    report: Report | None
    samples: tuple[str, ...] = Field((), max_length=100)
    seconds: float | None
    characters_per_second: float | None
    tags: tuple[Annotated[str, StringConstraints(max_length=LONGEST_TAG)], ...] = Field((), max_length=tags.MAX_TAGS)
    created_at: MadeAt


def describe(model: TrainedModel) -> dict[str, Any]:
    """Return all about the bot but its files, as JSON-ready values. The link of a shared bot isn't in it."""
    return {
        "id": str(model.pk),
        "name": model.name,
        "corpus": str(model.corpus_id) if model.corpus_id else None,
        "corpus_name": model.corpus_name,
        "parent": str(model.parent_id) if model.parent_id else None,
        "parent_name": model.parent_name,
        "parent_sha256": model.parent.sha256 if model.parent else "",
        "learned_accounts": model.learned_accounts,
        "tier": model.tier,
        "posts": model.posts,
        "characters": model.characters,
        "sha256": model.sha256,
        "training": model.training,
        "history": model.history,
        "kept_epoch": model.kept_epoch,
        "interpolation": model.interpolation,
        "bits_per_character": model.bits_per_character,
        "report": _report(model) or None,
        "samples": model.samples,
        "seconds": model.seconds,
        "characters_per_second": model.characters_per_second,
        "visibility": model.visibility,
        "tags": tags.of(model),
        "created_at": model.created_at.isoformat(),
    }


def _report(model: TrainedModel) -> dict[str, Any]:
    """Return the report card, in which posts have the keys that they have in the corpus's file."""
    numbers = [each.get("post") for name in _OF_POSTS for each in model.report.get(name, [])]
    posts = model.corpus.posts.filter(pk__in=[number for number in numbers if number]) if model.corpus else None
    keys = dict(posts.values_list("pk", "key")) if posts is not None else {}
    return _with_posts(model.report, keys)


def _with_posts(report: Mapping[str, Any], known: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the report card with what `known` has for each post, or None."""
    parts = {name: report[name] for name in _OF_POSTS if name in report}
    return dict(report) | {
        name: [{**each, "post": known.get(each.get("post"))} for each in part] for name, part in parts.items()
    }


def packed(model: TrainedModel) -> IO[bytes]:
    """Return the bot's files as a ZIP, ready to be read; close it. Raises CheckpointError if they're damaged."""
    with ExitStack() as held:
        file = held.enter_context(tempfile.TemporaryFile())
        downloads.write_whole(model, file)
        file.seek(0)
        # The reader closes it.
        held.pop_all()
    return file


def _pieces(model: TrainedModel) -> Iterator[bytes]:
    try:
        return _blocks(packed(model))
    except CheckpointError as error:
        raise CantMove(error) from error


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from iter(partial(file.read, _PIECE), b"")


def read(values: Mapping[str, Any]) -> BotFacts:
    """Return the description of a bot. Raises BadBot."""
    try:
        facts = BotFacts.model_validate(values)
    except ValidationError as error:
        raise BadBot(mark("This version can’t read its description.")) from error
    if not isinstance(facts.training.get("seed", 0), int):
        raise BadBot(mark("This version can’t read its description."))
    return facts


def _restore(values: Mapping[str, Any], content: str, run: Import) -> TrainedModel:
    try:
        facts = read(values)
        corpus = run.restored.get(facts.corpus) if facts.corpus is not None else None
        if corpus is None and str(facts.corpus) in run.job.arguments["corpora"]:
            raise CantMove(Sentence(mark("The posts that it learned from were left out.")))
        if run.archive.size(content) > LARGEST:
            raise CantMove(Sentence(mark("It’s too large.")))
        with tempfile.NamedTemporaryFile(dir=run.work_dir, suffix=".zip") as file:
            run.archive.copy(content, file.file)
            file.flush()
            return restore(
                facts,
                job=run.job,
                number=run.numbers(facts.id),
                numbers=run.numbers,
                file=Path(file.name),
                corpus=corpus,
                fenced=run.fenced,
            )
    except OptedOut as error:
        raise CantMove(error.args[0]) from error
    except REFUSALS as error:
        raise CantMove(error) from error


def restore(
    facts: BotFacts,
    *,
    job: Job,
    number: uuid.UUID,
    numbers: Callable[[uuid.UUID], uuid.UUID],
    file: Path,
    corpus: Corpus | None,
    fenced: Fence,
) -> TrainedModel:
    """Create the bot `number` for the job's owner from its ZIP. Repeated for the same job, it's still one bot.

    `numbers` returns the new id of another bot of the account's ZIP. If the corpus was deleted meanwhile, the bot has
    none. Raises one of REFUSALS, or NotKept and OSError if the disk doesn't take it, and keeps nothing.
    """
    directory = f"users/{job.owner_id}/{number}"
    path = Path(settings.CHECKPOINTS_DIR) / directory
    with files.staging(path, job) as staged:
        sha256 = _unpack(file, staged)
        network = checkpoint.describe(staged)["network"]
        needed = network.get("pretrained", "")
        if needed and not pretrained.can_be_had(needed):
            message = mark(
                "It belongs to the pretrained model %(number)s, which isn’t on this server. Ask its administrator "
                "to add that with `manage.py add_base`, then import the ZIP again."
            )
            raise BadBot(message, number=needed[:12])
        if needed and not _has_known_network(network):
            raise BadBot(
                mark("Its %(file)s describes a different network from that of the pretrained model that it names."),
                file=checkpoint.CONFIG,
            )
        with files.in_place(staged, path, sha256, fenced, job):
            # Lock posts before models, like a deletion.
            there = _if_there(corpus)
            is_new = not TrainedModel.objects.filter(pk=number).exists()
            parent = _parent(job.owner, facts, numbers, needed)
            model = registry.create_with_free_name(
                owner=job.owner,
                wanted=facts.name,
                number=number,
                parent=parent,
                learned_accounts=ancestry.accounts_to_learn(corpus, parent, facts.learned_accounts),
                corpus=there,
                directory=directory,
                sha256=sha256,
                network=network,
                tier=Tier.of(network),
                stored_bytes=files.stored_bytes(path),
                **_values(facts, there),
            )
            if is_new:  # what its owner has changed since stays
                tags.set_tags(model, facts.tags)
            return model


def _values(facts: BotFacts, corpus: Corpus | None) -> dict[str, Any]:
    report: dict[str, Any] = {}
    if facts.report is not None:
        report = facts.report.model_dump(mode="json", exclude_unset=True)
        posts = (each.post for part in (facts.report.copies, facts.report.surprise) for each in part)
        keys = [key for key in posts if isinstance(key, str)]
        known = dict(corpus.posts.filter(key__in=keys).values_list("key", "pk")) if corpus is not None else {}
        report = _with_posts(report, known)
    return {
        "parent_name": facts.parent_name,
        "corpus_name": facts.corpus_name,
        "posts": facts.posts,
        "characters": facts.characters,
        "training": facts.training,
        "history": [epoch.model_dump(mode="json", exclude_unset=True) for epoch in facts.history],
        "kept_epoch": facts.kept_epoch,
        "interpolation": facts.interpolation,
        "bits_per_character": facts.bits_per_character,
        "report": report,
        "samples": list(facts.samples),
        "seconds": facts.seconds,
        # It's the speed of the machine that it comes from, and estimates are about this one.
        "characters_per_second": None,
        "created_at": facts.created_at,
    }


def _has_known_network(network: dict[str, Any]) -> bool:
    """Return whether a fluent bot's network is that of its pretrained model, or of a base model here.

    A writer holds each different one by itself, so nobody may bring others.
    """
    found = LlamaConfig.from_dict(network)
    bases = TrainedModel.objects.filter(owner=None, network__pretrained=found.pretrained)
    of_bases = [LlamaConfig.from_dict(values) for values in bases.values_list("network", flat=True)]
    return found in (pretrained.own_network(found.pretrained), *of_bases)


def _if_there(corpus: Corpus | None) -> Corpus | None:
    """Lock and return the posts that it learned from, or return None if they have been deleted meanwhile."""
    try:
        return None if corpus is None else idle.lock(corpus)
    except CorpusGone:
        return None


def _parent(
    owner: User, facts: BotFacts, numbers: Callable[[uuid.UUID], uuid.UUID], needed: str
) -> TrainedModel | None:
    """Return the bot that it started from, if that was restored too, or the same base model; else None.

    `needed`: the number of the pretrained model that it needs; "" if it's a quick bot.
    """
    if facts.parent is None:
        return None
    models = TrainedModel.objects.select_for_update(no_key=True)
    own = models.filter(pk=numbers(facts.parent), owner=owner).first()
    return own or meant(models.filter(usable_by_all(), sha256=facts.parent_sha256), facts.parent_sha256, needed)


def _unpack(file: Path, staged: Path) -> str:
    """Unpack the bot's files and check each. Return the sha256 of the weights."""
    damaged = mark("Its files are damaged.")
    try:
        with ZipFolder(file) as folder:
            members = {member.name: member for member in _few(folder)}
            # Its files are stored as they are, so nothing can unpack to more than there is.
            if any(member.size != member.packed_size for member in members.values()):
                raise BadBot(damaged)
            if files.CONTEXT in members and members[files.CONTEXT].size > _MAX_CONTEXT_BYTES:
                raise BadBot(damaged)
            for name in files.COMPANIONS:
                # A vocabulary that others have made isn't read: it's that of a base model here, or there is none.
                if name in members and name != checkpoint.TOKENIZER:
                    _write(folder, members[name], staged / name)
    except BadZip as error:
        raise BadBot(damaged) from error
    files.know_vocabularies()
    sha256 = base_archive.unpack(file, staged)
    try:
        if (staged / files.FINGERPRINTS).exists():
            CopyGuard.load(staged / files.FINGERPRINTS)
        context = "".join(files.context_of(staged))
        # Each vocabulary takes UTF-8, and JSON can contain other text.
        context.encode()
    except (CheckpointError, StateError, KeyError, ValueError, IndexError, TypeError) as error:
        raise BadBot(damaged) from error
    if len(context) > CHARACTERS:
        raise BadBot(damaged)
    return sha256


def _few(folder: ZipFolder) -> list[Member]:
    found = []
    for member in folder.members():
        found.append(member)
        if len(found) > _MAX_FILES:
            raise BadBot(mark("Its files are damaged."))
    return found


def _write(folder: ZipFolder, member: Member, target: Path) -> None:
    reader = folder.open(member)
    with target.open("wb") as out:
        while block := reader.read(_BLOCK):
            out.write(block)


BOTS: Final = Things(
    folder="bots",
    description="bot.json",
    content="bot.zip",
    limit="models",
    rows=lambda user: TrainedModel.objects.filter(owner=user).select_related("owner", "corpus", "parent"),
    describe=describe,
    pieces=_pieces,
    restore=_restore,
    shown=lambda model: {"id": str(model.pk), "name": model.name},
    is_packed=True,
    left_by=lambda job, numbers: files.attempts_at(numbers, f"users/{job.owner_id}"),
)
