"""Get a base model from the hub, as a job, for administrators."""

from __future__ import annotations

from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.handle import take_over_files
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words.translatable import Sentence, mark
from models_app.bases import services as bases
from models_app.bases.getting import hub
from models_app.bases.getting.suggested import suggested

GET_BASE: Final = "get_base"


class AlreadyComing(bases.BaseError):
    """The same model is being downloaded."""

    code = "already_coming"


def require_allowed(user: User) -> None:
    """Raise BaseError unless the person may get base models from the hub, and look at what it has."""
    if not bases.may_add(user):
        raise bases.BaseError(_("Only an administrator can add base models."))


def get(*, by: User, repository: str, revision: str = "", name: str = "", run_here: bool = False) -> Job:
    """Queue the download of a repository at a branch, tag or commit, by default the suggested commit or the newest.

    It goes on with what an earlier one has kept that failed or was cancelled. Asks the hub nothing: the job does.
    Raises BaseError, and LimitReached.
    """
    require_allowed(by)
    repository = hub.repository_named(repository)
    known = suggested(repository)
    revision = hub.revision_named(revision, known.commit if known else hub.MAIN)
    # What reads it names its directory, so the name of a model without another is that of its repository.
    name = bases.free_name(name or repository.rpartition("/")[2])
    same = Job.objects.filter(kind=GET_BASE, arguments__repository=repository, arguments__revision=revision)
    if jobs.active_jobs(same).exists():
        raise AlreadyComing(_("%(name)s is already being downloaded.") % {"name": repository})
    with transaction.atomic():
        job = jobs.submit(
            owner=by,
            kind=GET_BASE,
            title=Sentence(mark("Get the base model %(name)s"), name=name),
            arguments={"repository": repository, "revision": revision, "name": name},
            run_here=run_here,
        )
        for earlier in same.filter(state__in=(State.FAILED, State.CANCELLED)).select_for_update():
            if take_over_files(earlier, job):
                break
    return job
