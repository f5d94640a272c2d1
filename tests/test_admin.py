"""The administration: lists, filters, search, and the actions on jobs, corpora and models."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from botfactory import desk as desk_of_lists
from botfactory.accounts import services as accounts
from botfactory.accounts import tokens
from botfactory.accounts.models import SecurityEntry, User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.webhooks.models import Webhook
from models_app import model_files, report_cards, services, trainings
from models_app.base_models import versions
from models_app.ml import checkpoint
from models_app.models import BaseChange, Generation, TrainedModel
from tests.conftest import PASSWORD, signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import model as model
from tweets import uploads
from tweets.admin import CorpusAdmin
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


def act(desk: Client, page: str, action: str, *rows: Any, **more: str) -> str:
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}
    answer = desk.post(f"/admin/{page}/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("page", ["accounts/user", "jobs/job", "tweets/corpus", "models_app/trainedmodel"])
def test_lists_are_searched_and_rows_opened(page: str, desk: Client, model: TrainedModel) -> None:
    found = desk.get(f"/admin/{page}/?q=alice").content.decode()
    assert "alice" in found
    row: Any = {"accounts/user": model.owner, "jobs/job": model.job, "tweets/corpus": model.corpus}.get(page, model)
    assert desk.get(f"/admin/{page}/{row.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    ("page", "name"),
    [("accounts/user", "Users"), ("auth/group", "Groups"), ("mfa/authenticator", "Two-factor sign-in")],
)
def test_lists_have_a_name(page: str, name: str, desk: Client) -> None:
    shown = desk.get(f"/admin/{page}/").content.decode()
    assert f"<h1>{name}</h1>" in shown and f"&rsaquo; {name}</div>" in shown


def test_filters_narrow_the_jobs(desk: Client, model: TrainedModel) -> None:
    assert "Train Bot" in desk.get("/admin/jobs/job/?state__exact=succeeded&kind=fine_tune").content.decode()
    assert "Train Bot" not in desk.get("/admin/jobs/job/?state__exact=failed").content.decode()


def test_jobs_are_cancelled_and_tried_again(desk: Client, corpus: Corpus, base: TrainedModel) -> None:
    job = trainings.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    act(desk, "jobs/job", "cancel_jobs", job)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    act(desk, "jobs/job", "retry_jobs", job)
    job.refresh_from_db()
    assert job.state == State.QUEUED


def test_what_cannot_be_done_is_told(desk: Client, model: TrainedModel) -> None:
    assert model.job is not None
    assert "Only a failed or cancelled job" in act(desk, "jobs/job", "retry_jobs", model.job)
    desk.cookies["django_language"] = "de"
    page = act(desk, "jobs/job", "retry_jobs", model.job)
    assert "Noch einmal versuchen" in page and "Train Bot:" not in page


def test_nobody_writes_the_states_by_hand(desk: Client, model: TrainedModel) -> None:
    assert model.job is not None
    desk.post(f"/admin/jobs/job/{model.job.pk}/change/", {"state": "failed", "title": "changed"})
    job = Job.objects.get(pk=model.job.pk)
    assert (job.state, job.title) == (State.SUCCEEDED, "Train Bot")


def test_a_corpus_is_deleted_with_its_files(desk: Client, corpus: Corpus) -> None:
    folder = uploads.folder_of(corpus)
    folder.mkdir(parents=True)
    page = act(desk, "tweets/corpus", "delete_selected", corpus)
    assert f"Posts: {corpus.posts.count()}" in page and Corpus.objects.exists() and folder.exists()
    act(desk, "tweets/corpus", "delete_selected", corpus, post="yes")
    assert not Corpus.objects.exists() and not folder.exists()


def test_the_page_before_a_deletion_counts_posts_and_lists_none(desk: Client, corpus: Corpus) -> None:
    posts = corpus.posts.count()
    Corpus.objects.filter(pk=corpus.pk).update(name="Town")
    with CaptureQueriesContext(connection) as asked:
        page = desk.get(f"/admin/tweets/corpus/{corpus.pk}/delete/").content.decode()
    assert f"Posts: {posts}" in page and "Files: 0" not in page and "Jobs: 1" in page
    assert page.count("<li>Town</li>") == 1 and "Post object" not in page
    assert len(asked) <= 12


def test_lists_group_digits_and_name_sources_in_the_language_of_the_page(
    desk: Client, corpus: Corpus, base: TrainedModel
) -> None:
    TrainedModel.objects.filter(pk=base.pk).update(posts=12_345, seconds=122.78634189500008, bits_per_character=1.23456)
    Corpus.objects.filter(pk=corpus.pk).update(posts_found=12_345, posts_kept=11_234, characters=1_234_567)
    desk.cookies["django_language"] = "de"
    models = desk.get("/admin/models_app/trainedmodel/").content.decode()
    assert all(f">{shown}</td>" in models for shown in ("12.345", "2 min 3 s", "1,235"))
    corpora = desk.get("/admin/tweets/corpus/").content.decode()
    assert all(f">{shown}</td>" in corpora for shown in ("12.345", "11.234", "1.234.567", "Eingefügter Text"))
    assert '<a href="?source=text">Eingefügter Text</a>' in corpora
    assert "Eingefügter Text" in desk.get("/admin/tweets/corpus/?source=text").content.decode()
    assert "0 Sammlungen" in desk.get("/admin/tweets/corpus/?source=x").content.decode()


@pytest.mark.parametrize(("seconds", "shown"), [(0.314, "0.31 s"), (9.99, "9.99 s"), (83, "1 min 23 s")])
def test_short_generations_took_fractions_of_a_second(
    desk: Client, alice: User, base: TrainedModel, seconds: float, shown: str
) -> None:
    Generation.objects.create(model=base, owner=alice, posts=["Hello."], seconds=seconds)
    assert f">{shown}</td>" in desk.get("/admin/models_app/generation/").content.decode()


def test_the_page_before_a_deletion_is_german_throughout(desk: Client, corpus: Corpus, base: TrainedModel) -> None:
    desk.cookies["django_language"] = "de"
    pages = [
        desk.get(f"/admin/tweets/corpus/{corpus.pk}/delete/").content.decode(),
        act(desk, "tweets/corpus", "delete_selected", corpus),
    ]
    for page in pages:
        assert "Das löscht Folgendes endgültig:" in page
        assert f"Posts: {corpus.posts.count()}" in page and 'value="Löschen"' in page
    kept = act(desk, "models_app/trainedmodel", "delete_selected", base)
    assert "Das lässt sich nicht löschen:" in kept and 'name="post"' not in kept


def test_the_page_before_a_deletion_groups_digits(
    desk: Client, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CorpusAdmin, "losses", lambda _desk, _rows: {"posts": 12_345})
    assert "Posts: 12,345<" in desk.get(f"/admin/tweets/corpus/{corpus.pk}/delete/").content.decode()


def test_webhooks_say_in_the_language_of_the_page_why_they_are_off(desk: Client, alice: User) -> None:
    hook = Webhook.objects.create(owner=alice, url="https://example.org/", events=["job.failed"])
    desk.cookies["django_language"] = "de"
    page = act(desk, "webhooks/webhook", "switch_off", hook)
    row = desk.get(f"/admin/webhooks/webhook/{hook.pk}/change/").content.decode()
    assert all("administrator" not in shown and "Administration ausgeschaltet" in shown for shown in (page, row))


def test_many_rows_are_not_deleted_at_once(desk: Client, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_of_lists, "MAX_DELETED_AT_ONCE", 1)
    jobs = [Job.objects.create(owner=admin, kind="x", title="x", queue="x") for _ in range(2)]
    assert "at most 1 rows" in act(desk, "jobs/job", "delete_selected", *jobs, post="yes")
    assert Job.objects.count() == 2
    act(desk, "jobs/job", "delete_selected", jobs[0], post="yes")
    assert Job.objects.get() == jobs[1]


def test_a_model_is_deleted_with_its_files(desk: Client, model: TrainedModel) -> None:
    path = model_files.path_of(model)
    act(desk, "models_app/trainedmodel", "delete_selected", model)
    assert TrainedModel.objects.filter(pk=model.pk).exists() and path.exists()
    act(desk, "models_app/trainedmodel", "delete_selected", model, post="yes")
    assert not TrainedModel.objects.filter(pk=model.pk).exists() and not path.exists()


def test_the_delete_button_of_one_model_takes_the_files_too(desk: Client, model: TrainedModel) -> None:
    path = model_files.path_of(model)
    desk.post(f"/admin/models_app/trainedmodel/{model.pk}/delete/", {"post": "yes"})
    assert not TrainedModel.objects.filter(pk=model.pk).exists() and not path.exists()


def test_the_base_model_is_chosen_and_never_lost(desk: Client, base: TrainedModel, model: TrainedModel) -> None:
    act(desk, "models_app/trainedmodel", "make_base", model)
    assert versions.base_model() == model
    assert "exactly one" in act(desk, "models_app/trainedmodel", "make_base", model, base)
    page = act(desk, "models_app/trainedmodel", "delete_selected", model, base, post="yes")
    assert "t delete the base model" in page
    assert TrainedModel.objects.filter(pk=base.pk).exists() and model_files.path_of(base).is_dir()


def test_a_retired_model_is_nobodys_start_and_still_writes(
    desk: Client, base: TrainedModel, model: TrainedModel, alice: User
) -> None:
    page = act(desk, "models_app/trainedmodel", "retire", model, base)
    assert "t retire the base model" in page and "1 model is retired." in page
    assert services.bases_for_user(alice) == [base]
    assert signed_in(alice).get(f"/models/{model.pk}/").status_code == 200
    assert "1 model is back." in act(desk, "models_app/trainedmodel", "bring_back", model)
    assert services.bases_for_user(alice) == [base, model]


def test_the_files_of_models_are_hashed_and_compared(desk: Client, base: TrainedModel, model: TrainedModel) -> None:
    assert "2 models are intact" in act(desk, "models_app/trainedmodel", "verify_files", base, model)
    weights = model_files.path_of(model) / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert "its weights have changed" in act(desk, "models_app/trainedmodel", "verify_files", model)
    shutil.rmtree(model_files.path_of(model))
    page = act(desk, "models_app/trainedmodel", "verify_files", base, model)
    assert "its folder is missing" in page and "1 model is intact" in page


def test_a_report_card_is_made_anew(desk: Client, admin: User, base: TrainedModel, model: TrainedModel) -> None:
    before = model.report
    TrainedModel.objects.filter(pk=model.pk).update(report={})
    page = act(desk, "models_app/trainedmodel", "make_report_cards", model, base)
    assert "1 job queued" in page and "Compare them instead" in page
    job = Job.objects.get(kind=report_cards.REPORT_CARD)
    assert job.owner == admin and model.owner is not None
    assert signed_in(model.owner).get(f"/jobs/{job.pk}/").status_code == 404
    assert "js/report-job." in desk.get(f"/jobs/{job.pk}/").content.decode()
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.error_message
    model.refresh_from_db()
    # Measured on the same posts, by the same model.
    assert model.report["bits_per_character"] == pytest.approx(before["bits_per_character"], rel=1e-3)
    assert model.report["measured"] == before["measured"] and model.report["novelty"] == before["novelty"]
    assert job.result["after"] == model.report["bits_per_character"]


def test_no_report_card_where_its_posts_are_others_now(desk: Client, admin: User, model: TrainedModel) -> None:
    assert model.corpus is not None
    job = report_cards.remake(model, by=admin)
    post = model.corpus.posts.filter(dropped="")[0]
    post.cleaned = "something else, and longer than any post that anybody ever wrote " * 9
    post.save()
    assert "Its posts have changed" in act(desk, "models_app/trainedmodel", "make_report_cards", model)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.error_code == "bad_request"
    model.corpus.delete()
    assert "are deleted" in act(desk, "models_app/trainedmodel", "make_report_cards", model)


def test_who_is_deactivated_is_out_for_good_and_nothing_goes_on(
    desk: Client, alice: User, bob: User, corpus: Corpus, base: TrainedModel
) -> None:
    phone, laptop, other = signed_in(alice), signed_in(alice), signed_in(bob)
    token = tokens.create_token(owner=alice, name="A program").text
    waiting = trainings.fine_tune(owner=alice, corpus=corpus, start=base)
    running = trainings.fine_tune(owner=alice, corpus=corpus, start=base)
    assert worker.claim(running.pk) is not None
    page = act(desk, "accounts/user", "deactivate", alice)
    assert "Deactivated alice. Ended: " in page
    assert all(part in page for part in ("2 sessions", "1 API token", "2 jobs"))
    assert [Job.objects.get(pk=job.pk).state for job in (waiting, running)] == [State.CANCELLED, State.CANCELLING]
    act(desk, "accounts/user", "activate", alice)
    alice.refresh_from_db()
    # Ended things stay ended, and created things still exist.
    assert alice.is_active and alice.check_password(PASSWORD) and alice.corpora.count() == 1
    assert {client.get("/models/").status_code for client in (phone, laptop)} == {302}
    assert other.get("/models/").status_code == 200
    assert tokens.token_of_header(f"Bearer {token}") is None
    assert "Deactivated. Ended" in desk.get(f"/admin/accounts/user/{alice.pk}/history/").content.decode()


def uncheck(desk: Client, user: User, box: str) -> str:
    """Untick a box of the person's page, and return the answer."""
    form = desk.get(f"/admin/accounts/user/{user.pk}/change/").context["adminform"].form
    data: dict[str, Any] = {
        name: value for name, value in form.initial.items() if isinstance(value, str | bool) and value
    }
    data |= {"date_joined_0": "2026-11-25", "date_joined_1": "12:00:00"}
    inlines = {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 1}
    data |= {f"limits-{name}": value for name, value in inlines.items()}
    del data[box]
    answer = desk.post(f"/admin/accounts/user/{user.pk}/change/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_box_of_an_account_does_the_same_and_spares_the_last_administrator(
    desk: Client, alice: User, admin: User
) -> None:
    client = signed_in(alice)
    assert "Deactivated alice" in uncheck(desk, alice, "is_active")
    act(desk, "accounts/user", "activate", alice)
    assert client.get("/models/").status_code == 302
    for box in ("is_active", "is_staff", "is_superuser"):
        assert "only administrator here" in uncheck(desk, admin, box)
        admin.refresh_from_db()
        assert admin.is_active and admin.is_staff and admin.is_superuser
    assert "only administrator here" in act(desk, "accounts/user", "deactivate", admin)
    assert User.objects.get(pk=admin.pk).is_active


def test_what_goes_with_a_person_is_told_before(desk: Client, alice: User, admin: User, model: TrainedModel) -> None:
    posts, jobs = alice.corpora.get().posts.count(), alice.jobs.count()
    page = desk.get(f"/admin/accounts/user/{alice.pk}/delete/").content.decode()
    assert f"alice, with 1 bot, 1 corpus, {posts} posts and {jobs} jobs" in page
    assert User.objects.filter(pk=alice.pk).exists()
    many = act(desk, "accounts/user", "delete_selected", alice)
    assert f"Posts: {posts}" in many
    kept = "no other administrator would be left"
    assert kept in desk.get(f"/admin/accounts/user/{admin.pk}/delete/").content.decode()
    desk.post(f"/admin/accounts/user/{admin.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(pk=admin.pk).exists()


def test_a_deleted_account_takes_its_files_along(desk: Client, alice: User, model: TrainedModel) -> None:
    path = model_files.path_of(model)
    posts, jobs = alice.corpora.get().posts.count(), alice.jobs.count()
    page = desk.post(f"/admin/accounts/user/{alice.pk}/delete/", {"post": "yes"}, follow=True).content.decode()
    assert f"Deleted with alice: 1 bot, 1 corpus, {posts} posts and {jobs} jobs." in page
    assert not User.objects.filter(pk=alice.pk).exists()
    assert not TrainedModel.objects.filter(owner=alice.pk).exists() and not path.exists()


def test_jobs_of_others_about_a_persons_posts_are_counted_before_as_they_are_after(
    desk: Client, alice: User, admin: User, model: TrainedModel
) -> None:
    report_cards.remake(model, by=admin)
    versions.make_base(model, how=BaseChange.How.PROMOTED)
    before = accounts.belongings(alice)
    assert before["job"] == alice.jobs.count() + 1
    assert accounts.delete_account(alice, by=admin) == before
    assert TrainedModel.objects.filter(pk=model.pk, owner=None, is_base=True).exists()


def test_two_administrators_are_not_deleted_together(desk: Client, admin: User) -> None:
    second = User.objects.create(username="second", is_staff=True, is_superuser=True)
    page = act(desk, "accounts/user", "delete_selected", admin, second, post="yes")
    assert page.count("no other administrator would be left") == 2
    assert User.objects.filter(is_superuser=True).count() == 2
    # The other one may be deleted at the same moment, after the page has looked.
    accounts.delete_account(second)
    with pytest.raises(accounts.LastAdministrator, match="only administrator here"):
        accounts.delete_account(admin)
    assert User.objects.get(pk=admin.pk).is_active


@pytest.fixture
def clerk(bob: User) -> Client:
    """Somebody who may change people, addresses, sessions and second factors, but is no administrator."""
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    models = ("user", "emailaddress", "usersession", "authenticator")
    names = [f"{act}_{model}" for act in ("view", "add", "change", "delete") for model in models]
    bob.user_permissions.set(Permission.objects.filter(codename__in=names))
    return signed_in(bob)


def test_who_may_change_people_cannot_become_an_administrator(
    clerk: Client, alice: User, bob: User, admin: User
) -> None:
    new = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
    path = "/admin/accounts/user"
    assert clerk.post(f"{path}/{alice.pk}/password/", new).status_code == 302
    assert clerk.post(f"{path}/{admin.pk}/password/", new).status_code == 403
    assert clerk.post(f"{path}/{admin.pk}/delete/", {"post": "yes"}).status_code == 403
    fields = {"username": "bob", "date_joined_0": "2026-11-25", "date_joined_1": "12:00:00", "is_active": "on"}
    inline = {"limits-TOTAL_FORMS": 0, "limits-INITIAL_FORMS": 0}
    roles = {"is_staff": "on", "is_superuser": "on"}
    assert clerk.post(f"{path}/{bob.pk}/change/", {**fields, **inline, **roles}).status_code == 302
    assert clerk.post(f"{path}/{admin.pk}/change/", {**fields, **inline}).status_code == 403
    assert "Only administrators can do that" in act(clerk, "accounts/user", "deactivate", admin)
    act(clerk, "accounts/user", "delete_selected", admin)
    assert User.objects.filter(is_superuser=True, is_active=True).get() == admin
    assert admin.check_password(PASSWORD) and User.objects.get(pk=alice.pk).check_password("another horse battery")


def test_only_administrators_change_groups_and_the_log_names_the_permissions(desk: Client, bob: User) -> None:
    group = Group.objects.create(name="Helpers")
    page = f"/admin/auth/group/{group.pk}"
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.groups.add(group)
    allowed = Permission.objects.filter(content_type__app_label="auth", content_type__model="group")
    bob.user_permissions.set(allowed)
    more = Permission.objects.get(codename="change_user", content_type__app_label="accounts")
    wanted = {"name": "Helpers", "permissions": [more.pk]}
    helper = signed_in(bob)
    assert helper.post(f"{page}/change/", wanted).status_code == 403
    assert helper.post("/admin/auth/group/add/", {**wanted, "name": "Others"}).status_code == 403
    assert helper.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
    assert helper.get(f"{page}/change/").status_code == 200
    assert not group.permissions.exists() and list(Group.objects.all()) == [group]
    SecurityEntry.objects.all().delete()
    for _ in range(2):
        assert desk.post(f"{page}/change/", wanted).status_code == 302
    assert list(group.permissions.all()) == [more]
    assert desk.post(f"{page}/change/", {"name": "Friends", "permissions": []}).status_code == 302
    entries = SecurityEntry.objects.filter(action="roles_changed").order_by("pk")
    added = {"group": "Helpers", "added": ["accounts.change_user"], "removed": []}
    removed = {"group": "Friends", "added": [], "removed": ["accounts.change_user"]}
    assert [(entry.by_name, entry.details) for entry in entries] == [("admin", added), ("admin", removed)]


def test_what_belongs_to_an_administrator_is_out_of_reach_for_others(clerk: Client, alice: User, admin: User) -> None:
    kept, gone = [
        [
            Authenticator.objects.create(user=user, type="totp", data={}),
            EmailAddress.objects.create(user=user, email=f"{user}@example.org", primary=True),
        ]
        for user in (admin, alice)
    ]
    pages = ("mfa/authenticator", "account/emailaddress")
    for page, row, other in zip(pages, kept, gone, strict=True):
        assert clerk.post(f"/admin/{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert clerk.post(f"/admin/{page}/{other.pk}/delete/", {"post": "yes"}).status_code == 302
    assert Authenticator.objects.get() == kept[0] and EmailAddress.objects.get() == kept[1]
    assert "Only administrators can do that" in act(clerk, "account/emailaddress", "confirm", kept[1])
    assert not EmailAddress.objects.get().verified
    # Mail to an address can set a new password.
    for user, status in ((admin, 200), (alice, 302)):
        added = {"user": user.pk, "email": f"clerk-{user}@example.org", "verified": "on"}
        assert clerk.post("/admin/account/emailaddress/add/", added).status_code == status
    assert EmailAddress.objects.filter(user=admin).get() == kept[1]
