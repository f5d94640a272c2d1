from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from botfactory.accounts import services as accounts
from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.web import desk as desk_of_lists
from models_app.bots import files, versions
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.training import report_cards
from tweets.admin import CorpusAdmin
from tweets.corpora import uploads
from tweets.models import Corpus

from .actions import act

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


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


def test_many_rows_are_not_deleted_at_once(desk: Client, admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_of_lists, "MAX_DELETED_AT_ONCE", 1)
    jobs = [Job.objects.create(owner=admin, kind="x", title="x", queue="x") for _ in range(2)]
    assert "at most 1 rows" in act(desk, "jobs/job", "delete_selected", *jobs, post="yes")
    assert Job.objects.count() == 2
    act(desk, "jobs/job", "delete_selected", jobs[0], post="yes")
    assert Job.objects.get() == jobs[1]


def test_a_model_is_deleted_with_its_files(desk: Client, model: TrainedModel) -> None:
    path = files.path_of(model)
    act(desk, "models_app/trainedmodel", "delete_selected", model)
    assert TrainedModel.objects.filter(pk=model.pk).exists() and path.exists()
    act(desk, "models_app/trainedmodel", "delete_selected", model, post="yes")
    assert not TrainedModel.objects.filter(pk=model.pk).exists() and not path.exists()


def test_the_delete_button_of_one_model_takes_the_files_too(desk: Client, model: TrainedModel) -> None:
    path = files.path_of(model)
    desk.post(f"/admin/models_app/trainedmodel/{model.pk}/delete/", {"post": "yes"})
    assert not TrainedModel.objects.filter(pk=model.pk).exists() and not path.exists()


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
    path = files.path_of(model)
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
