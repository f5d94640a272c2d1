"""`/queues` and `/proposals`: where and when a bot's posts appear, what it proposes, and what its owner decides."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Final, Literal, cast

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.rest import idempotency
from botfactory.rest.access import person, require_confirmed
from botfactory.rest.errors import missing_is_404, register_errors
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import VISIBLE, Input, Output, Page, Text, examples, one_of
from botfactory.web.disconnect import require_client
from models_app.api.parts import LABEL, MODEL, MOMENT
from models_app.bots.rows import TrainedModel
from models_app.ml.config import LONGEST_TOPIC
from publishing.models import Account, Proposal, Publication, Queue
from publishing.networks.registry import NETWORKS
from publishing.queue import connecting, services, stopping
from publishing.rules import errors, judging, labels, prices, stops, taste

queues = Router(tags=["publishing"])
proposals = Router(tags=["publishing"])
publications = Router(tags=["publishing"])
register_errors(
    {
        errors.PublishingError: 422,
        errors.Duplicate: 409,
        errors.NoAccount: 409,
        errors.NotNow: 409,
        errors.NoRoom: 409,
        errors.NothingNew: 409,
        errors.NotConnected: 409,
        judging.NotAllowed: 422,
    }
)

NetworkName = Annotated[str, *one_of(lambda: NETWORKS)]
ProposalState = Literal["proposed", "approved", "rejected"]
PublicationState = Literal["waiting", "sending", "unknown", "posted", "failed", "missed", "recalling", "recalled"]
Reason = Literal["sense", "voice", "not_now", "unkind"]
_HOUR: Final = "An hour of the wall in `zone`."
_PROPOSAL: Final = "6d1f5d6e-6c0b-4a57-8e1f-0a4d1c7f2b90"
_ACCOUNT: Final = "e0f3ad0c-4a0f-4f2e-9c9d-7a9d7c1c5b21"

_ACCOUNT_EXAMPLE: Final = {
    "id": _ACCOUNT,
    "network": "bluesky",
    "handle": "bot.bsky.social",
    "address": "https://bsky.app/profile/bot.bsky.social",
    "state": "connected",
    "trouble": None,
    "longest": 300,
    "secret": None,
}


class TasteOut(Output):
    """What the order of proposals learns from your decisions."""

    used: bool = Field(description="Whether proposals are the best of several by it. If not, it would make no better.")
    sentence: str | None = Field(description="What it has learned.")

    model_config = examples({"used": True, "sentence": "You often reject questions."})


class QueueOut(Output):
    """When a bot's posts go out, and how they are labelled."""

    model: uuid.UUID
    zone: str = Field(description="The time zone of all times.")
    per_day: int = Field(description="Posts a day, one at random in each part of the open hours.")
    opens: int = Field(description=_HOUR)
    closes: int = Field(description=_HOUR)
    daily_maximum: int = Field(description="The most posts a day, with those that have a time of their own.")
    quiet_from: int = Field(description=f"{_HOUR} Nothing goes out from then until `quiet_until`.")
    quiet_until: int = Field(description=_HOUR)
    proposals_a_day: int = Field(description="Proposals that the bot makes by itself each day; 0 for none.")
    topics: list[str] = Field(
        description="What these are about, or how those of a quick bot begin. One is drawn each time."
    )
    with_links: bool = Field(description="Whether proposals may have links.")
    stopped: bool = Field(description="Whether nothing is sent until you set it to false.")
    all_stopped: bool = Field(description="Whether you have stopped all your bots.")
    label: str = Field(description="What each post begins with.")
    longest: int = Field(description="Characters that a post can have beside the label.")
    taste: TasteOut

    model_config = examples(
        {
            "model": MODEL,
            "zone": "Europe/Berlin",
            "per_day": 2,
            "opens": 9,
            "closes": 21,
            "daily_maximum": 6,
            "quiet_from": 22,
            "quiet_until": 7,
            "proposals_a_day": 3,
            "topics": ["coffee", "the sea"],
            "with_links": False,
            "stopped": False,
            "all_stopped": False,
            "label": "AI, in the voice of dril.bsky.social",
            "longest": 262,
            "taste": {"used": True, "sentence": "You often reject questions."},
        }
    )


class QueueChangeIn(Input):
    """Fields that you leave out stay as they are. Waiting posts get new times."""

    zone: Text | None = Field(None, min_length=1, max_length=64, description="The name of a zone, as in Europe/Berlin.")
    per_day: int | None = Field(None, ge=1, le=24, strict=True)
    opens: int | None = Field(None, ge=0, le=23, strict=True)
    closes: int | None = Field(None, ge=1, le=24, strict=True)
    daily_maximum: int | None = Field(None, ge=1, le=48, strict=True)
    quiet_from: int | None = Field(None, ge=0, le=24, strict=True)
    quiet_until: int | None = Field(None, ge=0, le=24, strict=True)
    proposals_a_day: int | None = Field(None, ge=0, le=services.MAX_A_DAY, strict=True)
    topics: list[Annotated[Text, Field(max_length=LONGEST_TOPIC)]] | None = Field(None, max_length=services.MAX_TOPICS)
    with_links: bool | None = Field(None, strict=True)
    stopped: bool | None = Field(None, strict=True)
    label: Text | None = Field(None, max_length=80, description='Other words for the label; "" for the usual ones.')

    model_config = examples({"per_day": 3, "zone": "Europe/Berlin"}, base=Input.model_config)


class StoppedIn(Input):
    stopped: bool = Field(strict=True, description="Whether nothing is sent.")

    model_config = examples({"stopped": True}, base=Input.model_config)


class AccountOut(Output):
    """Where posts appear. Credentials are never shown."""

    id: uuid.UUID
    network: str
    handle: str
    address: str = Field(description="Its profile, or the JSON Feed.")
    state: str = Field(description="connected, logged_out or unmarked. In the last two, posts wait.")
    trouble: str | None = Field(description="Why nothing is sent.")
    longest: int = Field(description="The longest post there, with its label.")
    secret: str | None = Field(description="The secret of a webhook, only in the answer to connecting it.")

    model_config = examples(_ACCOUNT_EXAMPLE)


class AccountsOut(Output):
    """All accounts of a bot."""

    data: list[AccountOut]

    model_config = examples({"data": [_ACCOUNT_EXAMPLE]})


class ConnectIn(Input):
    """The network, and what it asks for: Bluesky a handle and an app password, Mastodon a server and an access token.

    A webhook needs an address, and a feed nothing. X can only be connected in the browser.
    """

    network: NetworkName = Field(description="Where the posts are to appear.")
    identifier: Text = Field("", max_length=500, description="The handle of an account on Bluesky.")
    password: Text = Field("", max_length=500, description="An app password. Never the account's own one.")
    server: Text = Field("", max_length=500, description="The server, such as https://example.social.")
    token: Text = Field("", max_length=500, description="The token of an application of yours on a Mastodon server.")
    url: Text = Field("", max_length=2000, description="The address of a webhook, which gets each post.")
    mark: bool = Field(
        True, strict=True, description="Whether to mark the account as a bot. Unmarked, it sends nothing."
    )

    model_config = examples({"network": "feed"}, base=Input.model_config)


class WriteIn(Input):
    n: int = Field(5, ge=1, le=20, strict=True, description="The most proposals.")
    about: Text = Field("", max_length=LONGEST_TOPIC, description="What they are to be about, for a fluent bot.")

    model_config = examples({"n": 5}, base=Input.model_config)


class PublicationOut(Output):
    """An approved post on its way to an account."""

    id: uuid.UUID
    account: uuid.UUID
    network: str
    state: PublicationState
    text: str = Field(description="What was sent, with the label. Empty before that.")
    address: str | None = Field(description="Where people read it.")
    error: str | None = Field(description="What went wrong.")
    posted_at: datetime | None

    model_config = examples(
        {
            "id": "b4a1c1de-7d1f-4c55-9a9a-0d2f6f3c9e11",
            "account": _ACCOUNT,
            "network": "bluesky",
            "state": "posted",
            "text": "AI, in the voice of dril.bsky.social: I love coffee more than i love being on time",
            "address": "https://bsky.app/profile/bot.bsky.social/post/3kxyzabcdef2a",
            "error": None,
            "posted_at": MOMENT,
        }
    )


_PROPOSAL_EXAMPLE: Final[dict[str, Any]] = {
    "id": _PROPOSAL,
    "model": MODEL,
    "label": LABEL,
    "ai_generated": True,
    "text": "I love coffee more than i love being on time",
    "edited": False,
    "state": "proposed",
    "reason": None,
    "at": None,
    "zone": None,
    "fixed": False,
    "due_at": None,
    "price": None,
    "publications": [],
    "created_at": MOMENT,
}


class ProposalOut(Output):
    """A post that a bot proposed, and what you decided."""

    id: uuid.UUID
    model: uuid.UUID
    label: str = Field(description="The label to show wherever you show the post.")
    ai_generated: Literal[True] = True
    text: str
    edited: bool = Field(description="Whether you changed the text.")
    state: ProposalState
    reason: str | None = Field(description="Why you rejected it.")
    at: str | None = Field(description="When it goes out: the time of the wall in `zone`.")
    zone: str | None
    fixed: bool = Field(description="Whether you chose the time.")
    due_at: datetime | None = Field(description="The moment that this time is.")
    price: float | None = Field(description="What it costs the operator to publish it, in dollars. Only X charges.")
    publications: list[PublicationOut]
    created_at: datetime

    model_config = examples(_PROPOSAL_EXAMPLE)


class ProposalsOut(Output):
    """What the bot proposed."""

    data: list[ProposalOut]

    model_config = examples({"data": [_PROPOSAL_EXAMPLE]})


class ProposalFilters(PageQuery):
    model: uuid.UUID | None = Field(None, description="Only proposals by this model.")
    state: ProposalState | None = Field(None, description="Only proposals in this state.")


class ApproveIn(Input):
    text: Text | None = Field(
        None,
        min_length=1,
        max_length=services.LONGEST_TEXT,
        description="The text, if you edited it.",
        json_schema_extra=VISIBLE,
    )
    at: Text | None = Field(
        None,
        description="The time of the wall in the queue's zone, as in 2026-12-24T18:00. By default the next free slot.",
        json_schema_extra={"pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"},
    )
    sure: bool = Field(False, strict=True, description="Also if the bot has posted nearly the same.")

    model_config = examples({"sure": False}, base=Input.model_config)


class MoveIn(Input):
    at: Text | None = Field(
        description="The time of the wall in the queue's zone, as in 2026-12-24T18:00; null for the next free slot.",
        json_schema_extra={"pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$"},
    )

    model_config = examples({"at": "2026-12-24T18:00"}, base=Input.model_config)


class RejectIn(Input):
    reason: Reason | None = Field(None, description="Makes no sense, not like me, not now, or unkind.")

    model_config = examples({"reason": "sense"}, base=Input.model_config)


class RecalledOut(Output):
    recalled: int = Field(description="At how many places the post is being deleted.")

    model_config = examples({"recalled": 1})


def _model(request: HttpRequest, model_id: uuid.UUID) -> TrainedModel:
    with missing_is_404(TrainedModel.DoesNotExist, "model"):
        return services.publishable_for_user(person(request), model_id)


def _proposal(request: HttpRequest, proposal_id: uuid.UUID) -> Proposal:
    with missing_is_404(Proposal.DoesNotExist, "proposal"):
        return services.proposal_for_user(person(request), proposal_id)


def _told_queue(queue: Queue) -> QueueOut:
    values: dict[str, Any] = {name: getattr(queue, name) for name in QueueOut.model_fields if hasattr(queue, name)}
    values |= {"model": queue.model_id, "stopped": queue.is_stopped, "label": labels.label_of(queue)}
    values["all_stopped"] = stops.is_stopped_for_all(queue)
    values["topics"] = queue.topics.splitlines()
    liked = taste.taste_of(queue)
    told = TasteOut(used=liked is not None, sentence=taste.sentence(liked) or None)
    return QueueOut(**values, longest=services.room_of(queue), taste=told)


def _told_account(request: HttpRequest, account: Account, *, secret: str | None = None) -> AccountOut:
    feed = reverse("feed_json", args=[account.link]) if account.link else ""
    return AccountOut(
        id=account.pk,
        network=account.network,
        handle=account.handle,
        address=request.build_absolute_uri(feed) if feed else account.address,
        state=account.state,
        trouble=account.shown_trouble or None,
        longest=account.longest,
        secret=secret,
    )


def _told(proposal: Proposal) -> ProposalOut:
    wall = proposal.wall_time
    rows = list(proposal.publications.all())[::-1]
    is_open = proposal.state == Proposal.State.PROPOSED
    accounts = services.accounts_of(proposal.queue) if is_open else [row.account for row in rows]
    return ProposalOut(
        id=proposal.pk,
        model=proposal.queue.model_id,
        label=labels.label_of(proposal.queue) or labels.usual_label(proposal.queue.model),
        text=proposal.text,
        edited=proposal.is_edited,
        state=cast(ProposalState, proposal.state),
        reason=proposal.reason or None,
        at=wall.isoformat(timespec="minutes") if wall else None,
        zone=proposal.zone if wall else None,
        fixed=proposal.is_fixed,
        due_at=proposal.due,
        price=prices.price_of(accounts, labels.labelled(proposal.queue, proposal.text)),
        publications=[_told_publication(row) for row in rows],
        created_at=proposal.created_at,
    )


def _told_publication(row: Publication) -> PublicationOut:
    return PublicationOut(
        id=row.pk,
        account=row.account_id,
        network=row.account.network,
        state=cast(PublicationState, row.state),
        text=row.text,
        address=row.address or None,
        error=row.shown_error or None,
        posted_at=row.posted_at,
    )


@queues.post("/stop", response=StoppedIn, summary="Stop all your bots")
def stop_queues(request: HttpRequest, body: StoppedIn) -> StoppedIn:
    """Stop posts of all your bots, or let them post again. What waited then gets new times."""
    (stopping.stop_all if body.stopped else stopping.go_on_all)(person(request))
    return body


@queues.get("/{uuid:model_id}", response=QueueOut, summary="Get the queue of a bot")
def get_queue(request: HttpRequest, model_id: uuid.UUID) -> QueueOut:
    """Get when your bot's posts go out."""
    return _told_queue(services.queue_of(_model(request, model_id)))


@queues.patch("/{uuid:model_id}", response=QueueOut, summary="Change the queue of a bot")
def change_queue(request: HttpRequest, model_id: uuid.UUID, body: QueueChangeIn) -> QueueOut:
    """Change when your bot's posts go out, and their label. `stopped` stops everything at once."""
    changed = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    if "stopped" in changed:
        changed["is_stopped"] = changed.pop("stopped")
    if "topics" in changed:
        changed["topics"] = "\n".join(" ".join(topic.split()) for topic in changed["topics"])
    return _told_queue(services.change(_model(request, model_id), changed))


@queues.get("/{uuid:model_id}/accounts", response=AccountsOut, summary="List the accounts of a bot")
def list_accounts(request: HttpRequest, model_id: uuid.UUID) -> AccountsOut:
    """List where your bot's posts appear."""
    accounts = services.accounts_of(services.queue_of(_model(request, model_id)))
    return AccountsOut(data=[_told_account(request, account) for account in accounts])


@queues.post("/{uuid:model_id}/accounts", response={201: AccountOut}, summary="Connect an account")
@idempotency.slow
@idempotency.secret
def connect_account(request: HttpRequest, model_id: uuid.UUID, body: ConnectIn) -> Status[AccountOut]:
    """Connect an account of a network, for the first time or again, or open the feed. 409 if it doesn't let us in."""
    model = _model(request, model_id)
    require_confirmed(request)
    entered = body.model_dump(include={"identifier", "password", "server", "token", "url"})
    account = connecting.connect(model, body.network, entered, marks=body.mark)
    return Status(201, _told_account(request, account, secret=connecting.secret_of(account) or None))


@queues.delete("/{uuid:model_id}/accounts/{uuid:account_id}", response={204: None}, summary="Disconnect an account")
def disconnect_account(request: HttpRequest, model_id: uuid.UUID, account_id: uuid.UUID) -> Status[None]:
    """Delete the credentials here, or close the feed. What waits there waits until you connect it again."""
    model = _model(request, model_id)
    with missing_is_404(Account.DoesNotExist, "account"):
        account = services.accounts_for_user(person(request)).get(pk=account_id, queue__model=model)
    connecting.disconnect(account)
    return Status(204, None)


@queues.post("/{uuid:model_id}/proposals", response={201: ProposalsOut}, summary="Write proposals")
@idempotency.slow
def write_proposals(request: HttpRequest, model_id: uuid.UUID, body: WriteIn) -> Status[ProposalsOut]:
    """Let your bot write posts, and propose those that are new. You get at most `n`."""
    made = services.propose(
        model=_model(request, model_id),
        owner=person(request),
        count=body.n,
        about=body.about,
        proceed=require_client(request),
    )
    return Status(201, ProposalsOut(data=[_told(proposal) for proposal in made]))


@queues.post("/{uuid:model_id}/recall", response=RecalledOut, summary="Recall all posts of a bot")
def recall_queue(request: HttpRequest, model_id: uuid.UUID) -> RecalledOut:
    """Stop your bot, and delete all its posts where they were published."""
    return RecalledOut(recalled=services.recall_all(_model(request, model_id)))


@proposals.get("", response=Page[ProposalOut], summary="List proposals")
def list_proposals(request: HttpRequest, query: Query[ProposalFilters]) -> PageDict:
    """List what your bots proposed, newest first."""
    own = services.proposals_for_user(person(request)).prefetch_related("publications__account", "queue__accounts")
    found = own if query.model is None else own.filter(queue__model=query.model)
    found = found if query.state is None else found.filter(state=query.state)
    return page_of(found, query, lambda rows: map(_told, rows), among=own)


@proposals.get("/{uuid:proposal_id}", response=ProposalOut, summary="Get a proposal")
def get_proposal(request: HttpRequest, proposal_id: uuid.UUID) -> ProposalOut:
    """Get a proposal and what became of it."""
    return _told(_proposal(request, proposal_id))


@proposals.post("/{uuid:proposal_id}/approve", response=ProposalOut, summary="Approve a proposal")
def approve_proposal(request: HttpRequest, proposal_id: uuid.UUID, body: ApproveIn) -> ProposalOut:
    """Put the post into the queue, as written or edited. 409 if it's nearly the same as another, unless you're sure."""
    proposal = _proposal(request, proposal_id)
    return _told(services.approve(proposal, text=body.text, at=_wall(body.at), is_sure=body.sure))


@proposals.post("/{uuid:proposal_id}/reject", response=ProposalOut, summary="Reject a proposal")
def reject_proposal(request: HttpRequest, proposal_id: uuid.UUID, body: RejectIn) -> ProposalOut:
    """Reject the post. Neither it nor a near copy is proposed again."""
    return _told(services.reject(_proposal(request, proposal_id), reason=body.reason or ""))


@proposals.post("/{uuid:proposal_id}/back", response=ProposalOut, summary="Put a post back")
def put_back_proposal(request: HttpRequest, proposal_id: uuid.UUID) -> ProposalOut:
    """Make a post that waits, failed, was missed or rejected a proposal again. The others move up."""
    return _told(services.put_back(_proposal(request, proposal_id)))


@proposals.post("/{uuid:proposal_id}/move", response=ProposalOut, summary="Move a post")
def move_proposal(request: HttpRequest, proposal_id: uuid.UUID, body: MoveIn) -> ProposalOut:
    """Give a waiting post a time of its own, or the next free slot again. The others move up."""
    return _told(services.move(_proposal(request, proposal_id), _wall(body.at)))


@proposals.post("/{uuid:proposal_id}/recall", response=RecalledOut, summary="Recall a post")
def recall_proposal(request: HttpRequest, proposal_id: uuid.UUID) -> RecalledOut:
    """Delete the post where it was published."""
    return RecalledOut(recalled=services.recall(_proposal(request, proposal_id)))


@publications.post("/{uuid:publication_id}/again", response=PublicationOut, summary="Send a post again")
def send_publication_again(request: HttpRequest, publication_id: uuid.UUID) -> PublicationOut:
    """Send now what failed or was missed."""
    with missing_is_404(Publication.DoesNotExist, "publication"):
        publication = services.publication_for_user(person(request), publication_id)
    services.send_again(publication)
    publication.refresh_from_db()
    return _told_publication(publication)


def _wall(at: str | None) -> datetime | None:
    """Return the time of the wall. Raises BadValue."""
    if at is None:
        return None
    try:
        return datetime.strptime(at, "%Y-%m-%dT%H:%M")
    except ValueError:
        raise errors.BadValue(
            _("Send a time of the wall in the queue’s zone, such as 2026-12-24T18:00."), "at"
        ) from None
