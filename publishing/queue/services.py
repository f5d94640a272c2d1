"""Queues of bots: settings, proposals, and what their owner decides. Only the owner of a bot gets in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts.models import User
from botfactory.words.translation import grouped
from models_app.bots.rows import TrainedModel
from models_app.ml.config import LONGEST_TOPIC, SamplingConfig
from models_app.ml.evaluation.taste import Taste
from models_app.sharing import access
from models_app.sharing.rights import presentable
from models_app.writing import asking, generations
from models_app.writing.rows import Generation
from publishing import wall_times
from publishing.models import Account, Proposal, Publication, Queue
from publishing.rules import judging, labels, planning, taste
from publishing.rules.errors import BadValue, Duplicate, NoAccount, NoRoom, NothingNew, NotNow, TooLong
from publishing.sending import sender

#: The most undecided proposals and the most waiting posts of a bot.
MAX_PROPOSED: Final = 50
MAX_WAITING: Final = 200
#: The shortest post that a label may leave room for.
_SHORTEST: Final = 40
LONGEST_TEXT: Final = 4_000
#: Proposals that a person gets when they ask for some.
AT_ONCE: Final = 5
#: The most proposals a day that a bot makes by itself.
MAX_A_DAY: Final = 20
MAX_TOPICS: Final = 20

_State = Publication.State


def publishable_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """Return the bot if it's the person's own. Raises TrainedModel.DoesNotExist for all others, and for base models."""
    return access.models_for_user(user).get(pk=model_id, is_base=False)


def queue_of(model: TrainedModel) -> Queue:
    """Return the bot's queue, an unsaved one with the usual settings if it has none yet."""
    return Queue.objects.select_related("model__corpus").filter(model=model).first() or Queue(model=model)


def proposals_for_user(user: Any) -> QuerySet[Proposal]:
    """Return all proposals of the person's bots."""
    if not (user.is_authenticated and user.is_active):
        return Proposal.objects.none()
    return Proposal.objects.filter(queue__model__owner=user).select_related("queue__model__corpus", "generation")


def proposal_for_user(user: Any, proposal_id: uuid.UUID) -> Proposal:
    """Return the proposal. Raises Proposal.DoesNotExist unless the bot is the person's."""
    return proposals_for_user(user).get(pk=proposal_id)


def publication_for_user(user: Any, publication_id: uuid.UUID) -> Publication:
    """Return the publication. Raises Publication.DoesNotExist unless the bot is the person's."""
    rows = Publication.objects.filter(proposal__in=proposals_for_user(user).values("pk"))
    return rows.select_related("account", "proposal__queue__model__corpus").get(pk=publication_id)


def accounts_for_user(user: Any) -> QuerySet[Account]:
    """Return the accounts of the person's bots that aren't disconnected."""
    if not (user.is_authenticated and user.is_active):
        return Account.objects.none()
    rows = Account.objects.filter(queue__model__owner=user).exclude(state=Account.State.REMOVED)
    return rows.select_related("queue__model__corpus")


def account_for_user(user: Any, account_id: uuid.UUID) -> Account:
    """Return the account. Raises Account.DoesNotExist unless the bot is the person's."""
    return accounts_for_user(user).get(pk=account_id)


def accounts_of(queue: Queue) -> list[Account]:
    """Return where the queue's posts go, connected or in trouble."""
    if queue.is_new:
        return []
    return [account for account in queue.accounts.all() if account.state != Account.State.REMOVED]


@contextmanager
def held(model: TrainedModel) -> Iterator[Queue]:
    """Run a block in a transaction that holds the bot's queue, which is created if need be.

    Raises UnknownModel if the bot is deleted meanwhile.
    """
    with transaction.atomic():
        generations.require_there(model)
        Queue.objects.get_or_create(model=model)
        # Of two changes at once, the second sees what the first did.
        Queue.objects.select_for_update(no_key=True).only("pk").get(model=model)
        yield Queue.objects.select_related("model__corpus").get(model=model)


def begin(model: TrainedModel, *, zone: str) -> None:
    """Give the bot a queue in the time zone of its owner's browser, unless it has one."""
    with transaction.atomic():
        generations.require_there(model)
        Queue.objects.get_or_create(model=model, defaults={"zone": zone if zone in wall_times.zones() else "UTC"})


def change(model: TrainedModel, values: Mapping[str, Any]) -> Queue:
    """Change settings of the queue and plan the waiting posts anew. Raises BadValue, NoRoom."""
    with held(model) as queue:
        before = (queue.is_stopped, queue.zone, queue.hours, queue.daily_maximum)
        for name, value in values.items():
            setattr(queue, name, value)
        _check(queue)
        queue.save(update_fields=list(values))
        if before != (queue.is_stopped, queue.zone, queue.hours, queue.daily_maximum) and not queue.is_stopped:
            planning.plan(queue, anew=before[0])
    return queue


def _check(queue: Queue) -> None:
    if queue.zone not in wall_times.zones():
        raise BadValue(_("There is no such time zone. Choose one such as Europe/Berlin."), "zone")
    if not 0 <= queue.opens < queue.closes <= 24:
        raise BadValue(_("The first hour must be before the last one, from 0 to 24."), "closes")
    for name in ("quiet_from", "quiet_until"):
        if not 0 <= getattr(queue, name) <= 24:
            raise BadValue(_("Quiet hours are from 0 to 24."), name)
    if not 1 <= queue.per_day <= 24 or not 1 <= queue.daily_maximum <= 48:
        raise BadValue(_("Choose 1 to 24 slots and at most 48 posts a day."), "per_day")
    if not any(queue.hours.slots(datetime(2000, 1, 1), "")):
        raise BadValue(_("No slot is outside of the quiet hours. Change either."), "quiet_from")
    if not 0 <= queue.proposals_a_day <= MAX_A_DAY:
        raise BadValue(_("A bot proposes 0 to %(most)s posts a day.") % {"most": MAX_A_DAY}, "proposals_a_day")
    topics = [line for each in queue.topics.splitlines() if (line := " ".join(each.split()))]
    if len(topics) > MAX_TOPICS or "\x00" in queue.topics or max(map(len, topics), default=0) > LONGEST_TOPIC:
        raise BadValue(
            _("Write at most %(lines)s lines of up to %(most)s characters.")
            % {"lines": MAX_TOPICS, "most": LONGEST_TOPIC},
            "topics",
        )
    queue.topics = "\n".join(dict.fromkeys(topics))
    queue.label = " ".join(queue.label.split())
    if len(queue.label) > 80 or "\x00" in queue.label:
        raise BadValue(_("A label can have at most 80 characters."), "label")
    if queue.is_unlabelled and not settings.UNLABELLED_POSTS:
        raise BadValue(_("The operator of this server doesn’t allow posts without a label."), "is_unlabelled")
    if queue.label:
        try:
            judging.require_allowed(queue.model, queue.label)
        except judging.NotAllowed:
            raise BadValue(
                _("This can’t be the label: it mentions somebody or contains what’s banned."), "label"
            ) from None


def stop(model: TrainedModel) -> Queue:
    """Send nothing from now on. What a sender has already taken may still appear."""
    return change(model, {"is_stopped": True})


def go_on(model: TrainedModel) -> Queue:
    """Go on: the waiting posts get the next slots, so nothing is made up in a burst."""
    return change(model, {"is_stopped": False})


# Proposals


def room_of(queue: Queue) -> int:
    """Return how many characters a post of the queue can have beside the label."""
    limits = [account.longest for account in accounts_of(queue)] or [280]
    return max(_SHORTEST, min(limits) - len(labels.labelled(queue, "")))


def propose(
    *,
    model: TrainedModel,
    owner: User,
    count: int = AT_ONCE,
    about: str = "",
    prompt: str = "",
    proceed: Callable[[], None] | None = None,
) -> list[Proposal]:
    """Let the bot write posts, and propose those that are new. At most `count`.

    Raises what `sampling_of`, `accept` and `asking.generate` raise.
    """
    sampling = sampling_of(model, count=count, about=about, prompt=prompt)
    generation = asking.generate(model=model, owner=owner, sampling=sampling, proceed=proceed)
    return accept(model, generation, count=count)


def sampling_of(model: TrainedModel, *, count: int, about: str = "", prompt: str = "") -> SamplingConfig:
    """Return what the bot is asked to write for so many proposals, or for as many as there is room for.

    about: the topic of the posts, prompt: their beginning; both may be "". Raises NoRoom.
    """
    queue = queue_of(model)
    found = taste.taste_of(queue)
    return SamplingConfig(
        count=written_for(queue, count, found),
        max_characters=min(room_of(queue), 1_000),
        link_guard=not queue.with_links,
        best_of=taste.amounts(model, found).best_of,
        about=about,
        prompt=prompt,
    )


def written_for(queue: Queue, count: int, found: Taste | None) -> int:
    """Return how many posts the bot writes for so many proposals; found: what its owner likes. Raises NoRoom."""
    return min(100, ceil(_room(queue, count) * taste.amounts(queue.model, found).written))


def accept(model: TrainedModel, generation: Generation, *, count: int) -> list[Proposal]:
    """Propose what is new of the posts that the bot has written, at most `count`.

    What its owner rejected, and near copies of that, of other proposals and of what was posted, aren't proposed again.
    Raises NoRoom, NothingNew.
    """
    allowed = set(presentable(generation.posts))
    posts = taste.best_first(taste.taste_of(queue_of(model)), model, generation)
    made: list[Proposal] = []
    with held(model) as queue:
        count = _room(queue, count)
        known = [text for pair in queue.proposals.values_list("written", "text") for text in dict.fromkeys(pair)]
        for number, written, measured in posts:
            if len(made) == count or written not in allowed or not _may_go(model, written):
                continue
            if judging.near_copies(known).is_copy(written):
                continue
            known.append(written)
            made.append(
                Proposal.objects.create(
                    queue=queue,
                    generation=generation,
                    number=number,
                    written=written,
                    text=written,
                    measured=measured,
                )
            )
    if not made:
        raise NothingNew(_("Everything it wrote was like what you know already, or may not be posted. Try again."))
    return made


def _room(queue: Queue, count: int) -> int:
    """Return how many of so many proposals there is room for. Raises NoRoom."""
    waiting = 0 if queue.is_new else queue.proposals.filter(state=Proposal.State.PROPOSED).count()
    if waiting >= MAX_PROPOSED:
        raise NoRoom(_("%(n)s proposals wait for you. Decide about some of them first.") % {"n": grouped(waiting)})
    return max(1, min(count, MAX_PROPOSED - waiting))


def _may_go(model: TrainedModel, text: str) -> bool:
    try:
        judging.require_allowed(model, text)
    except judging.NotAllowed:
        return False
    return True


def shown_text(queue: Queue, text: str) -> str:
    """Return a post as the networks will show it."""
    return labels.labelled(queue, text)


def approve(
    proposal: Proposal, *, text: str | None = None, at: datetime | None = None, is_sure: bool = False
) -> Proposal:
    """Put the post into the queue: at the next free slot, or `at` a time of the wall.

    text: as its owner edited it; is_sure: also if the bot has posted nearly the same. Raises NotNow, NoAccount, NoRoom,
    TooLong, Duplicate, BadValue, NotAllowed, and what `guards.guard_of` raises.
    """
    new = proposal.text if text is None else _clean(text)
    # Before the transaction: it may read a file.
    judging.require_allowed(proposal.queue.model, new)
    with held(proposal.queue.model) as queue:
        proposal = _locked(proposal)
        if proposal.state != Proposal.State.PROPOSED:
            raise NotNow(_("You have decided about this post already."))
        accounts = accounts_of(queue)
        if not accounts:
            raise NoAccount(_("Connect an account or open the feed first, so that the post has somewhere to go."))
        if planning.untried(queue).count() >= MAX_WAITING:
            raise NoRoom(_("%(n)s posts wait already. Let some go out first.") % {"n": grouped(MAX_WAITING)})
        _require_length(queue, accounts, new)
        if not is_sure:
            _require_new(queue, proposal, new)
        if at is not None:
            planning.require_possible(queue, at, besides=proposal)
        last = queue.proposals.aggregate(last=Max("position"))["last"] or 0
        proposal.text, proposal.state, proposal.decided_at = new, Proposal.State.APPROVED, timezone.now()
        proposal.is_fixed, proposal.position, proposal.reason = at is not None, last + 1, ""
        proposal.wall, proposal.zone = at.replace(tzinfo=UTC) if at is not None else None, queue.zone
        proposal.save()
        # What became of an earlier try was decided when it was put back.
        for account in accounts:
            Publication.objects.create(proposal=proposal, account=account, key=account.kind.new_key())
        planning.plan(queue)
        proposal.refresh_from_db()
    return proposal


def reject(proposal: Proposal, *, reason: str = "") -> Proposal:
    """Reject the proposal: neither it nor a near copy is proposed again. The reason may come later.

    Raises NotNow, BadValue.
    """
    if reason and reason not in Proposal.Reason.values:
        raise BadValue(_("Choose one of the reasons, or none."), "reason")
    with held(proposal.queue.model):
        proposal = _locked(proposal)
        is_reason = proposal.state == Proposal.State.REJECTED and reason
        if proposal.state != Proposal.State.PROPOSED and not is_reason:
            raise NotNow(_("You have decided about this post already."))
        proposal.state, proposal.reason, proposal.decided_at = Proposal.State.REJECTED, reason, timezone.now()
        proposal.save()
    return proposal


def put_back(proposal: Proposal) -> Proposal:
    """Make an approved post a proposal again: one that still waits, or that didn't go out. Also a rejected one.

    What was posted somewhere, or may have been, can't be put back. Raises NotNow.
    """
    with held(proposal.queue.model) as queue:
        proposal = _locked(proposal)
        gone = proposal.publications.filter(
            state__in=(_State.WAITING, _State.FAILED, _State.MISSED), sender=""
        ).values_list("pk", flat=True)
        if proposal.state == Proposal.State.PROPOSED:
            raise NotNow(_("This post is a proposal already."))
        # A sender that takes one at this moment changes its state, and then it isn't deleted.
        Publication.objects.filter(pk__in=list(gone), state__in=(_State.WAITING, _State.FAILED, _State.MISSED)).delete()
        if proposal.publications.exists():
            raise NotNow(
                _("This post was sent somewhere, so it can’t be put back. You can recall it once it’s posted.")
            )
        proposal.state, proposal.reason, proposal.decided_at = Proposal.State.PROPOSED, "", None
        proposal.wall, proposal.is_fixed = None, False
        proposal.save()
        planning.plan(queue)
    return proposal


def move(proposal: Proposal, at: datetime | None) -> Proposal:
    """Give a waiting post a time of its own or, with None, the next free slot again.

    `at` is a time of the wall in the queue's zone. Raises NotNow, BadValue, NoRoom.
    """
    with held(proposal.queue.model) as queue:
        proposal = _locked(proposal)
        if not planning.untried(queue).filter(pk=proposal.pk).exists():
            raise NotNow(_("Only a post that waits can be moved. This one is on its way, or was never approved."))
        if at is not None:
            planning.require_possible(queue, at, besides=proposal)
        proposal.is_fixed, proposal.zone = at is not None, queue.zone
        proposal.wall = at.replace(tzinfo=UTC) if at is not None else None
        proposal.save(update_fields=["is_fixed", "wall", "zone"])
        planning.plan(queue)
        proposal.refresh_from_db()
    return proposal


def recall(proposal: Proposal) -> int:
    """Delete the post where it was published; return at how many places. A sender does it. Raises NotNow."""
    with held(proposal.queue.model):
        count = _recalled(proposal.publications.all())
        if not count:
            raise NotNow(_("This post isn’t published anywhere."))
    return count


def recall_all(model: TrainedModel) -> int:
    """Stop the bot and delete all its posts where they were published; return how many."""
    stop(model)
    with held(model) as queue:
        return _recalled(Publication.objects.filter(proposal__queue=queue))


def send_again(publication: Publication) -> None:
    """Send now what failed or was missed. It keeps its key, so a late first copy doesn't become a second.

    If nobody knows whether an earlier try still arrived, the network is asked first. Raises NotNow.
    """
    now = timezone.now()
    again: dict[str, Any] = {"attempts": F("attempts") + 1, "again_at": now, "error": "", "error_words": {}}
    fresh: dict[str, Any] = {"began_at": None, "text": "", "next_at": None}
    rows = Publication.objects.filter(pk=publication.pk, state__in=(_State.FAILED, _State.MISSED))
    with transaction.atomic():
        if not (
            rows.filter(sender.MAYBE_THERE).update(state=_State.UNKNOWN, next_at=now, **again)
            or rows.update(state=_State.WAITING, **again, **fresh)
        ):
            raise NotNow(_("Only a post that failed or was missed can be sent again."))
        transaction.on_commit(sender.ring)


def _recalled(rows: QuerySet[Publication]) -> int:
    fresh: dict[str, Any] = {"attempts": 0, "error": "", "error_words": {}}
    count = rows.filter(state=_State.POSTED).update(state=_State.RECALLING, next_at=timezone.now(), **fresh)
    transaction.on_commit(sender.ring)
    return count


def _locked(proposal: Proposal) -> Proposal:
    """Return the row as it is now. Proposal.DoesNotExist if it's gone."""
    return Proposal.objects.select_related("queue__model__corpus").get(pk=proposal.pk)


def _clean(text: str) -> str:
    new = text.replace("\r\n", "\n").strip()
    if not new:
        raise BadValue(_("The post is empty. Write something, or reject it."), "text")
    if len(new) > LONGEST_TEXT or "\x00" in new:
        raise BadValue(_("A post can have at most %(most)s characters.") % {"most": grouped(LONGEST_TEXT)}, "text")
    return new


def _require_length(queue: Queue, accounts: list[Account], text: str) -> None:
    whole = labels.labelled(queue, text)
    for account in accounts:
        over = account.kind.length(whole) - account.longest
        if over > 0:
            said = ngettext(
                "With its label, the post is %(n)s character too long for %(network)s. Edit it.",
                "With its label, the post is %(n)s characters too long for %(network)s. Edit it.",
                over,
            )
            raise TooLong(said % {"n": grouped(over), "network": _(account.kind.label)})


def _require_new(queue: Queue, proposal: Proposal, text: str) -> None:
    others = queue.proposals.filter(state=Proposal.State.APPROVED).exclude(pk=proposal.pk)
    if judging.near_copies(others.values_list("text", flat=True)).is_copy(text):
        raise Duplicate(_("The bot has posted nearly the same, or is about to. Approve it again if you’re sure."))
