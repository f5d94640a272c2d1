"""The sections of the administration: beside each page, the pages that the person may open."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Permission

from botfactory.accounts import sections
from botfactory.accounts.models import User
from tests.conftest import signed_in

pytestmark = pytest.mark.django_db


def shown(person: User, page: str = "/admin/") -> list[str]:
    """Return the addresses in the list of sections."""
    answer = signed_in(person).get(page).content.decode()
    start = answer.index('<nav class="sections"')
    return re.findall(r'<a href="([^"]+)"', answer[start : answer.index("</nav>", start)])


def test_each_list_has_a_section_and_is_there_once(admin: User) -> None:
    found = shown(admin)
    assert {f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in django_admin.site._registry} < {
        *found
    }
    assert len(found) == len(set(found)) and "/admin/base-models/" in found
    assert sections.OTHERS not in [section["name"] for section in of(admin)]


def of(person: User) -> list[sections.App]:
    context = signed_in(person).get("/admin/").context
    return list(context["available_apps"])


def test_who_may_see_little_is_shown_little(bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    bob.user_permissions.set(Permission.objects.filter(codename="view_job"))
    assert shown(bob) == ["/admin/", "/admin/jobs/job/"]
    bob.user_permissions.set(Permission.objects.filter(codename="view_trainedmodel"))
    assert shown(bob) == ["/admin/", "/admin/base-models/", "/admin/models_app/trainedmodel/"]


def test_the_place_is_marked_on_lists_and_below_them(admin: User) -> None:
    page = signed_in(admin).get("/admin/jobs/job/").content.decode()
    assert re.findall(r'href="([^"]+)" aria-current="page">', page[page.index('class="sections"') :]) == [
        "/admin/jobs/job/"
    ]
    page = signed_in(admin).get(f"/admin/accounts/user/{admin.pk}/change/").content.decode()
    assert 'href="/admin/accounts/user/" aria-current="true"' in page


def test_lists_have_our_names(admin: User) -> None:
    desk = signed_in(admin)
    assert "<h1>Two-factor sign-in</h1>" in desk.get("/admin/mfa/authenticator/").content.decode()
    assert "<h1>Sessions</h1>" in desk.get("/admin/usersessions/usersession/").content.decode()
    assert "<h1>Jobs</h1>" in desk.get("/admin/jobs/job/").content.decode()
    # An app's own page is Django's.
    assert desk.get("/admin/jobs/").status_code == 200


def test_a_chosen_filter_is_named_and_can_be_cleared(admin: User) -> None:
    page = signed_in(admin).get("/admin/jobs/job/?state__exact=failed").content.decode()
    assert "State: <strong>Failed</strong>" in page and "Clear all filters" in page
    page = signed_in(admin).get("/admin/jobs/job/").content.decode()
    assert "<summary>State</summary>" in page and "Clear all filters" not in page
