"""What requests generated from the document can't know: ids of things, and what a schema can't say.

So most requests that fit the document reach the operation itself instead of a 404. Requests that were generated to be
refused stay as they are.
"""

from __future__ import annotations

import io
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import schemathesis
from django.conf import settings
from django.utils import timezone
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase
from schemathesis.hooks import unregister

from botfactory.accounts import tokens
from botfactory.accounts.models import ApiToken
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.webhooks import services as webhooks
from botfactory.webhooks.models import Delivery, Webhook
from models_app.bots import files as model_files
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.search.rows import Search, Trial
from models_app.writing import generations
from models_app.writing.keeping import services as keeping
from models_app.writing.rows import Generation
from publishing.models import Account, Proposal, Publication, Queue
from publishing.queue import connecting
from publishing.queue import services as publishing
from tests.jobs.test_api import submit
from tests.models_app.conftest import import_posts, untrained
from tests.models_app.search.searching import BASE_SPACE, SPACE, search_for
from tests.publishing.helpers import approve, propose
from tests.tweets.helpers import run
from tests.tweets.importing.test_text_column import TABLE
from tweets.corpora import services as corpora
from tweets.models import Corpus

#: Of four made-up ids or cursors, this many belong to something that exists.
THERE = 3
DELETING = {
    "remove_kept",
    "delete_corpus",
    "delete_generation",
    "delete_generations",
    "delete_job",
    "delete_model",
    "delete_search",
    "delete_webhook",
    "disconnect_account",
    "revoke_token",
}


class World:
    """The things of one person that operations need: a new one to delete, a waiting one to cancel."""

    def __init__(self, by: ApiToken, base: TrainedModel, handles: dict[str, str], receiver: str) -> None:
        owner = by.owner
        corpus = import_posts(owner)
        self.owner, self.handles, self.receiver = owner, handles, receiver
        self.model = model = untrained(corpus, base)
        written = generations.generate(model=model, owner=owner, sampling=SamplingConfig(count=1, max_characters=20))
        self.ids: dict[str, uuid.UUID] = {
            "job_id": Job.objects.get(result__model=str(model.pk)).pk,
            "corpus_id": corpus.pk,
            "model_id": model.pk,
            "token_id": by.pk,
            "generation_id": written.pk,
            "kept_id": keeping.keep(generation=written, number=0).pk,
            "webhook_id": self._webhook(),
            "search_id": self._search(),
            "account_id": connecting.connect(model, "feed", {}).pk,
            "proposal_id": propose(model).pk,
            "publication_id": approve(model, f"a made-up post {uuid.uuid4()}").publications.get().pk,
        }
        self.ids["delivery_id"] = self._failed_message()
        self._job = submit(owner)
        self._asking = self._import_that_asks()
        #: What the other requests need. Lists contain it, so generated requests also try to delete it.
        self.kept = {str(thing) for thing in (*self.ids.values(), self._asking.arguments["corpus"])}
        self.special: dict[str, Callable[[], uuid.UUID]] = {
            "cancel_job": lambda: self._job_that_is(State.QUEUED),
            "stop_job": lambda: self._job_that_is(State.RUNNING),
            "retry_job": lambda: self._job_that_is(State.FAILED),
            "name_column": self._asks_again,
            "delete_corpus": self._corpus,
            "delete_generation": self._generation,
            "delete_job": self._ended_job,
            "delete_model": self._model,
            "revoke_token": self._token,
            "delete_webhook": self._webhook,
            "delete_search": self._search,
            "add_trials": self._search_to_extend,
            "remove_kept": self._kept,
            "disconnect_account": self._account,
            "approve_proposal": self._proposal,
            "reject_proposal": self._proposal,
            "put_back_proposal": lambda: self._published("missed").proposal_id,
            "recall_proposal": lambda: self._published("posted").proposal_id,
            "send_publication_again": lambda: self._published("missed").pk,
        }

    def thing(self, operation: str, name: str) -> uuid.UUID:
        if operation == "resend_delivery":
            self._failed_message()
        return self.special[operation]() if operation in self.special else self.ids[name]

    def _token(self) -> uuid.UUID:
        # Their number is limited.
        ApiToken.objects.filter(owner=self.owner).exclude(pk__in=self.kept).delete()
        return tokens.create_token(owner=self.owner, name="made up").token.pk

    def _webhook(self) -> uuid.UUID:
        return webhooks.create(owner=self.owner, url=self.receiver, events=["job.failed"]).webhook.pk

    def _failed_message(self) -> uuid.UUID:
        """Return a message of the webhook that has failed and can be sent again, the same each time."""
        number, webhook = uuid.UUID(int=1), self.ids["webhook_id"]
        Webhook.objects.filter(pk=webhook).update(active=True)
        told = {"webhook_id": webhook, "event": "job.failed", "subject_id": webhook, "state": "failed", "due_at": None}
        Delivery.objects.update_or_create(pk=number, defaults=told)
        return number

    def _search(self) -> uuid.UUID:
        """Return a search with a trial to use."""
        assert self.model.corpus is not None and self.model.parent is not None
        search = search_for(self.model.corpus, self.model.parent)
        Trial.objects.create(
            search=search,
            number=0,
            state=Trial.State.COMPLETE,
            parameters={"learning_rate": 0.001, "epochs": 1, "batch_size": 8},
            bits_per_character=2.0,
        )
        return search.pk

    def _search_to_extend(self) -> uuid.UUID:
        search = self.ids["search_id"]
        # A search has an upper limit of trials.
        Search.objects.filter(pk=search).update(wanted=0)
        return search

    def _account(self) -> uuid.UUID:
        """Return an account to disconnect."""
        queue = publishing.queue_of(self.model)
        values = {"remote_id": "made up", "handle": "made.up", "longest": 300, "state": "connected"}
        return Account.objects.update_or_create(queue=queue, network="bluesky", defaults=values)[0].pk

    def _proposal(self) -> uuid.UUID:
        self._clear()
        return propose(self.model, f"a made-up post {uuid.uuid4()}").pk

    def _published(self, state: str) -> Publication:
        """Return what became of a post that nobody sends."""
        self._clear()
        queue, text = publishing.queue_of(self.model), f"a made-up post {uuid.uuid4()}"
        proposal = Proposal.objects.create(queue=queue, number=0, written=text, text=text, state="approved")
        account = Account.objects.get(pk=self.ids["account_id"])
        return Publication.objects.create(proposal=proposal, account=account, key=uuid.uuid4().hex, state=state)

    def _clear(self) -> None:
        """Delete earlier ones, because their number is limited."""
        Proposal.objects.filter(queue__model=self.model).exclude(pk__in=self.kept).delete()
        Queue.objects.filter(model=self.model).update(is_stopped=False)

    def _kept(self) -> uuid.UUID:
        written = Generation.objects.get(pk=self.ids["generation_id"])
        return keeping.keep(generation=written, number=0, text=f"edited {uuid.uuid4()}").pk

    def _generation(self) -> uuid.UUID:
        row = Generation.objects.get(pk=self.ids["generation_id"])
        row.pk = uuid.uuid4()
        row.save(force_insert=True)
        return row.pk

    def _ended_job(self) -> uuid.UUID:
        job = submit(self.owner)
        Job.objects.filter(pk=job.pk).update(state=State.CANCELLED)
        return job.pk

    def _corpus(self) -> uuid.UUID:
        job = corpora.import_text(owner=self.owner, text="one\ntwo")
        return uuid.UUID(job.arguments["corpus"])

    def _model(self) -> uuid.UUID:
        row = TrainedModel.objects.get(pk=self.model.pk)
        files = model_files.path_of(row)
        row.pk = uuid.uuid4()
        row.job, row.name, row.directory = None, f"copy {row.pk}", f"{row.directory}-{row.pk}"
        row.visibility, row.link = "private", None
        row.save(force_insert=True)
        shutil.copytree(files, model_files.path_of(row))
        return row.pk

    def _job_that_is(self, state: State) -> uuid.UUID:
        Job.objects.filter(pk=self._job.pk).update(state=state, stop_requested=False)
        return self._job.pk

    def _import_that_asks(self) -> Job:
        file = io.BytesIO(TABLE.encode())
        job, _ = run(corpora.import_file(owner=self.owner, file=file, file_name="posts.csv"))
        assert job.error_code == "which_column"
        return job

    def _asks_again(self) -> uuid.UUID:
        asking = self._asking
        Job.objects.filter(pk=asking.pk).update(state=asking.state, error_code=asking.error_code)
        corpus = uuid.UUID(asking.arguments["corpus"])
        Corpus.objects.filter(pk=corpus).update(state=Corpus.State.FAILED)
        return corpus


@contextmanager
def taught(world: World) -> Iterator[None]:
    """Send requests of schemathesis to that world."""

    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        _good(case, world)

    schemathesis.hook(before_call)
    try:
        yield
    finally:
        unregister(before_call)


def _good(case: Any, world: World) -> None:
    operation = case.operation.definition.raw["operationId"]
    parts = case.meta.components if case.meta is not None else {}
    wrong = {location for location, part in parts.items() if part.mode.is_negative}
    for name, value in (case.path_parameters or {}).items():
        if operation in DELETING and str(value) in world.kept:
            case.path_parameters[name] = str(uuid.uuid4())
    # If a request follows from another, its ids are of things that were just created or deleted.
    is_step = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    if ParameterLocation.PATH not in wrong and not is_step:
        for name, value in case.path_parameters.items():
            if name in world.ids and _chosen(value):
                case.path_parameters[name] = str(world.thing(operation, name))
    if ParameterLocation.QUERY not in wrong and case.query:
        _good_query(operation, case.query, world)
    if ParameterLocation.HEADER not in wrong and "Idempotency-Key" in (case.headers or {}):
        # The same key with another request is refused, and the shortest keys are generated again and again.
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
        if (case.query or {}).get("stream") == "1":
            del case.headers["Idempotency-Key"]  # a stream isn't stored
    if case.meta is not None and case.meta.generation.mode.is_positive and "file" in _dict(case.body):
        # Not every file of a few bytes contains posts.
        case.body["file"] = "one\ntwo"
    if ParameterLocation.BODY not in wrong and isinstance(case.body, dict):
        _good_body(operation, case.body, world)


def _dict(body: Any) -> dict[str, Any]:
    return body if isinstance(body, dict) else {}


def _chosen(value: Any) -> bool:
    return zlib.crc32(str(value).encode()) % 4 < THERE


def _good_base_search(body: dict[str, Any]) -> None:
    """Name files and a space that there are, and one length."""
    folder = Path(settings.TRAINING_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("made-up-train.txt", "made-up-valid.txt"):
        # Requests come from several threads, so a file is there whole or not at all.
        written = folder / f"{uuid.uuid4()}.part"
        written.write_text("one\ntwo\n", encoding="utf-8")
        written.replace(folder / name)
    body |= {"files": ["made-up-train.txt"], "validation": "made-up-valid.txt", "space": BASE_SPACE, "megabytes": 0.01}
    for name in ("corpus", "model", "minutes"):
        body.pop(name, None)


def _good_query(operation: str, query: dict[str, Any], world: World) -> None:
    kinds = {
        "list_jobs": "job_id",
        "list_corpora": "corpus_id",
        "list_models": "model_id",
        "list_tokens": "token_id",
        "list_generations": "generation_id",
        "list_webhooks": "webhook_id",
        "list_kept": "kept_id",
        "list_searches": "search_id",
        "list_proposals": "proposal_id",
    }
    if query.get("after") is None:
        return
    if operation in kinds:
        query["after"] = str(world.ids[kinds[operation]])
    elif operation != "job_events":
        # A cursor of nothing is refused.
        del query["after"]


def _good_body(operation: str, body: dict[str, Any], world: World) -> None:
    if operation == "create_token":
        if ApiToken.objects.filter(owner=world.owner).count() > 30:
            ApiToken.objects.filter(owner=world.owner, name="made up").delete()
        if body.get("expires_at") is not None:
            body["expires_at"] = (timezone.now() + timedelta(days=1)).isoformat()
    if operation == "create_search":
        # A space is checked against the settings of a training.
        body["space"] = SPACE if body.get("space") else None
        body["minutes"] = None
    if operation == "create_base_search":
        _good_base_search(body)
    if operation == "use_trial":
        body["trial"] = 0 if body.get("trial") is not None else None
    if operation in ("create_job", "create_search", "estimate_job", "create_instant_bot"):
        body["corpus"] = str(world.ids["corpus_id"])
        if body.get("model") is not None:
            body["model"] = str(world.model.pk)
        if body.get("tier") is not None:
            body["tier"] = "quick"
    if operation == "create_corpus" and body.get("source") in world.handles:
        body["handle"] = world.handles[body["source"]]
        body["confirm_cost"] = True
    if operation == "create_corpus" and (body.get("account") or ("file" in body and body.get("basis") == "public")):
        body["account"] = "@somebody"
    if operation == "change_queue":
        goods = {"zone": "UTC", "opens": 0, "closes": 24, "quiet_from": 1, "quiet_until": 2, "label": "", "per_day": 3}
        body.update({name: good for name, good in goods.items() if body.get(name) is not None})
    if operation == "connect_account":
        # Other servers are out of reach.
        body["network"] = "feed"
    if operation == "approve_proposal":
        body.update({name: good for name, good in {"text": None, "at": None}.items() if name in body})
        body["sure"] = True
    if operation == "write_proposals":
        body.update({"n": 1, "about": ""})
    if operation == "keep_post":
        body["generation"], body["post"] = str(world.ids["generation_id"]), 0
    if "url" in body:
        body["url"] = world.receiver
    if operation == "evaluate_model":
        # Together they have a limit.
        body["posts"] = [post[:100] for post in body["posts"][:10]]
    if "prompt" in body or "max_characters" in body or "generate" in operation:
        # Writing much is slow, and the amount doesn't matter here.
        body["n"] = min(body.get("n", 1), 2)
        body.pop("about", None)  # the world's bots are quick
        body["max_characters"] = max(len(body.get("prompt", "")) + 1, min(body.get("max_characters", 9), 20))
