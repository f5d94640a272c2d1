"""Prepare a corpus for base models as a job, for administrators."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.translatable import Sentence, mark
from botfactory.translation import translated
from models_app.base_corpora import files
from models_app.base_models.services import BaseError, may_add
from models_app.base_models.staging import staged
from tweets.cleaning import Duplicates, RulesError
from tweets.preparation import Format, PreparationError, Recipe
from tweets.preparation.recipe import DEFAULT_SHARES

PREPARE_CORPUS: Final = "prepare_corpus"
MAX_INPUTS: Final = 100
#: In the job's folder: the uploaded file, in a folder of its own, under a name of ours with its own suffixes.
UPLOADED: Final = "uploaded"


class AnotherIsPrepared(BaseError):
    """A preparation uses all cores, so there is one at a time."""

    code = "another_is_prepared"


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen; the rest of the recipe has its defaults. `format`: "" to tell it by each file."""

    format: str = ""
    column: str = ""
    author_column: str = ""
    encoding: str = "utf-8"
    languages: tuple[str, ...] = ()
    mask_personal: bool = True
    duplicates: str = Duplicates.NEAR
    shares: tuple[int, int, int] = DEFAULT_SHARES
    seed: int = 0

    def recipe(self) -> Recipe:
        """Return the recipe. Raises BaseError if there is no such recipe."""
        usual = Recipe()
        if sum(self.shares) != 100 or min(self.shares) < 0 or self.shares[0] == 0:
            raise BaseError(_("The percentages for training, validation and test must add up to 100."))
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            message = _("There is no encoding %(name)s. Try utf-8, cp1252 or latin-1.")
            raise BaseError(message % {"name": self.encoding}) from None
        try:
            if self.format:
                Format(self.format)
            rules = usual.rules.as_dict() | {"mask_personal": self.mask_personal, "duplicates": self.duplicates}
            return Recipe(
                rules=type(usual.rules).from_dict(rules),
                languages=tuple(self.languages),
                shares=self.shares,
                seed=self.seed,
                text_column=self.column,
                author_column=self.author_column,
                encoding=self.encoding,
            )
        except (PreparationError, RulesError, ValueError) as error:
            raise BaseError(translated(error)) from error

    def as_dict(self) -> dict[str, Any]:
        """Return the options as JSON."""
        return {
            "format": self.format,
            "column": self.column,
            "author_column": self.author_column,
            "encoding": self.encoding,
            "languages": list(self.languages),
            "mask_personal": self.mask_personal,
            "duplicates": str(self.duplicates),
            "shares": list(self.shares),
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Options:
        first, second, third = values["shares"]
        lists = {"languages": tuple(values["languages"]), "shares": (first, second, third)}
        return cls(**{**values, **lists})


def prepare(
    *,
    by: User,
    name: str,
    inputs: Sequence[str] = (),
    uploaded: IO[bytes] | None = None,
    file_name: str = "",
    options: Options | None = None,
) -> Job:
    """Queue a preparation of files below RAW_POSTS_DIR, an uploaded file, or both, and return its job.

    The corpus will be a folder of this name below TRAINING_DIR. Raises BaseError, and LimitReached.
    """
    if not may_add(by):
        raise BaseError(_("Only an administrator can prepare a corpus for base models."))
    options = options or Options()
    options.recipe()
    name = files.checked_name(name)
    inputs = list(dict.fromkeys(inputs))
    if not inputs and uploaded is None:
        raise BaseError(_("Choose what to prepare: files on the server, or a file that you upload."))
    if len(inputs) > MAX_INPUTS:
        raise BaseError(_("Choose at most %(most)s files. Put more posts into each.") % {"most": MAX_INPUTS})
    for each in inputs:
        files.raw_file(each)
    _require_alone()
    shown = PurePath(file_name).name[:200] if uploaded is not None else ""
    with staged(uploaded, f"{UPLOADED}/{_plain(shown)}") as hand_over, transaction.atomic():
        # An upload takes minutes, so another may have begun meanwhile.
        _require_alone()
        job = jobs.submit(
            owner=by,
            kind=PREPARE_CORPUS,
            title=Sentence(mark("Prepare the corpus %(name)s"), name=name),
            arguments={"name": name, "inputs": inputs, "uploaded": shown, "options": options.as_dict()},
        )
        hand_over(job)
    return job


def may_start(job: Job) -> None:
    """Raise NotPossible while another corpus is prepared. JobKind calls this before a retry."""
    if jobs.active_jobs(preparations()).exclude(pk=job.pk).exists():
        raise NotPossible(_("Another corpus is being prepared. Wait until it’s done, or cancel it."))


def _require_alone() -> None:
    """Raise AnotherIsPrepared while a corpus is prepared, which takes all cores and much of the disk."""
    if jobs.active_jobs(preparations()).exists():
        raise AnotherIsPrepared(_("Another corpus is being prepared. Wait until it’s done, or cancel it."))


def _plain(name: str) -> str:
    """Return a name of ours with the suffixes of this one, by which the format is told."""
    suffixes = "".join(PurePath(name).suffixes[-2:])
    return f"posts{suffixes}" if suffixes.replace(".", "").isalnum() and len(suffixes) < 30 else "posts"


def preparations() -> QuerySet[Job]:
    return Job.objects.filter(kind=PREPARE_CORPUS).select_related("owner")
