"""Mail when a training is done or fails, for people who have chosen that."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from botfactory.accounts.models import Notifications, User
from botfactory.jobs import mails
from botfactory.jobs.ending import end
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import stored
from tests import mailbox
from tests.conftest import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def with_mail(settings: LazySettings, alice: User) -> None:
    mailbox.give_address(alice, settings)


def choose(owner: User, *, language: str = "en", **chosen: str) -> Any:
    return signed_in(owner).post("/account/notifications", chosen, headers={"Accept-Language": language})


def ended(owner: User, state: State, *, kind: str = "fine_tune") -> Job:
    title = Sentence(mark("Train %(name)s"), name="My bot")
    words = {"title": stored(title)}
    job = Job.objects.create(owner=owner, kind=kind, queue="train", title=title, words=words, state=State.RUNNING)
    said = Sentence(mark("The model was deleted.")) if state == State.FAILED else ""
    assert end(Job.objects.filter(pk=job.pk), state, said=said)
    job.refresh_from_db()
    return job


def sent() -> list[tuple[str, str]]:
    mails.send_due()
    return mailbox.emptied()


def test_a_search_promises_no_bot(alice: User) -> None:
    choose(alice, training_succeeded="on")
    ended(alice, State.SUCCEEDED, kind="search")
    ((_, text),) = sent()
    assert "The search has ended" in text and "can write" not in text


def test_people_who_have_chosen_nothing_get_no_mail(alice: User) -> None:
    page = signed_in(alice).get("/account/").content.decode()
    assert "Email me when a training is done" in page and "alice@example.org" in page
    for state in (State.SUCCEEDED, State.FAILED):
        assert ended(alice, state).mail_due_at is None
    assert sent() == []


def test_one_mail_is_sent_about_a_training_that_is_done_or_fails(alice: User, bob: User) -> None:
    assert choose(alice, training_succeeded="on", training_failed="on")["Location"] == "/account/"
    page = signed_in(alice).get("/account/").content.decode()
    assert len(re.findall(r'type="checkbox"[^>]* checked', page)) == 2
    job = ended(alice, State.SUCCEEDED)
    ended(bob, State.SUCCEEDED)
    assert sent() == [
        (
            "[Bot Factory] Done: Train My bot",
            f"Train My bot\n\nThe training has ended, and the bot can write.\n\nhttp://testserver/jobs/{job.pk}/\n\n"
            "You get this email because you asked for it on your account page. You can turn it off there.\n",
        )
    ]
    ended(alice, State.FAILED)
    [(subject, body)] = sent()
    assert subject == "[Bot Factory] Failed: Train My bot" and "The model was deleted." in body
    # No mail about cancelled trainings, nor about other kinds of jobs.
    ended(alice, State.CANCELLED)
    ended(alice, State.SUCCEEDED, kind="report_card")
    assert sent() == []
    choose(alice, training_failed="on")
    ended(alice, State.SUCCEEDED)
    assert sent() == []


def test_the_mail_is_in_the_language_in_which_it_was_chosen(alice: User) -> None:
    choose(alice, language="de", training_succeeded="on")
    ended(alice, State.SUCCEEDED)
    assert [subject for subject, _body in sent()] == ["[Bot Factory] Fertig: My bot trainieren"]


def test_a_mail_that_cannot_be_sent_is_tried_again_for_a_day(alice: User, settings: LazySettings) -> None:
    choose(alice, training_succeeded="on")
    job, works = ended(alice, State.SUCCEEDED), settings.EMAIL_BACKEND
    # Nothing listens there.
    settings.EMAIL_BACKEND, settings.EMAIL_PORT = "django.core.mail.backends.smtp.EmailBackend", 1
    assert sent() == []
    job.refresh_from_db()
    assert job.mail_due_at is not None and job.mail_due_at > timezone.now()
    Job.objects.update(mail_due_at=timezone.now())
    settings.EMAIL_BACKEND = works
    assert len(sent()) == 1 and sent() == []
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    long_ago = timezone.now() - timedelta(days=2)
    Job.objects.update(mail_due_at=timezone.now(), finished_at=long_ago)
    assert sent() == []
    job.refresh_from_db()
    assert job.mail_due_at is None


def test_a_mail_that_can_never_be_sent_holds_up_no_other_and_is_given_up_after_a_day(alice: User, bob: User) -> None:
    EmailAddress.objects.create(user=bob, email="bob@example.org", primary=True, verified=True)
    EmailAddress.objects.filter(user=alice).update(email="alice@example.org\nBcc: others@example.org")
    jobs = []
    for person in (alice, bob):
        choose(person, training_succeeded="on")
        jobs.append(ended(person, State.SUCCEEDED))
    assert len(sent()) == 1
    assert [job.pk for job in Job.objects.exclude(mail_due_at=None)] == [jobs[0].pk]
    Job.objects.filter(pk=jobs[0].pk).update(mail_due_at=timezone.now(), finished_at=timezone.now() - timedelta(days=2))
    assert sent() == [] and not Job.objects.exclude(mail_due_at=None).exists()


def test_no_mail_is_sent_about_a_training_that_is_tried_again(alice: User) -> None:
    choose(alice, training_failed="on")
    job = ended(alice, State.FAILED)
    Job.objects.filter(pk=job.pk).update(state=State.QUEUED)
    assert sent() == [] and not Job.objects.exclude(mail_due_at=None).exists()


def test_no_mail_goes_to_an_address_that_is_not_confirmed(alice: User) -> None:
    choose(alice, training_succeeded="on")
    ended(alice, State.SUCCEEDED)
    EmailAddress.objects.update(verified=False)
    assert sent() == [] and not Job.objects.exclude(mail_due_at=None).exists()
    page = signed_in(alice).get("/account/").content.decode()
    assert "add and confirm an email address" in page and "Email me" not in page


def test_without_a_mail_server_the_page_says_so_and_nothing_is_due(alice: User, settings: LazySettings) -> None:
    choose(alice, training_succeeded="on")
    settings.MAIL_SERVER = None
    assert ended(alice, State.SUCCEEDED).mail_due_at is None
    page = signed_in(alice).get("/account/").content.decode()
    assert "This Bot Factory doesn’t send email." in page and 'href="/webhooks/"' in page


def test_the_choice_is_each_persons_own(alice: User, bob: User) -> None:
    choose(bob, training_failed="on")
    assert Notifications.objects.get().user == bob
    assert Client().post("/account/notifications")["Location"].startswith("/accounts/login/")
    assert signed_in(alice).get("/account/notifications").status_code == 405
