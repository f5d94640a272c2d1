from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission
from django.test import Client

from botfactory.accounts import tokens
from botfactory.accounts.models import SecurityEntry, User
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from models_app.training import planning
from tests.conftest import PASSWORD, signed_in
from tweets.models import Corpus

from .actions import act

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_is_deactivated_is_out_for_good_and_nothing_goes_on(
    desk: Client, alice: User, bob: User, corpus: Corpus, base: TrainedModel
) -> None:
    phone, laptop, other = signed_in(alice), signed_in(alice), signed_in(bob)
    token = tokens.create_token(owner=alice, name="A program").text
    waiting = planning.fine_tune(owner=alice, corpus=corpus, start=base)
    running = planning.fine_tune(owner=alice, corpus=corpus, start=base)
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


@pytest.fixture
def clerk(bob: User) -> Client:
    """Somebody who may change people, addresses, sessions and second factors, but is no administrator."""
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    models = ("user", "emailaddress", "usersession", "authenticator")
    names = [f"{act}_{model}" for act in ("view", "add", "change", "delete") for model in models]
    bob.user_permissions.set(Permission.objects.filter(codename__in=names))
    return signed_in(bob)


def test_the_page_of_a_person_says_nothing_about_the_password(desk: Client, alice: User) -> None:
    page = desk.get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()
    assert "alice" in page and "algorithm" not in page and "Raw passwords" not in page and "pbkdf2" not in page


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
