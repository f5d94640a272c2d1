"""Browsers and proxies don't store pages for one person, but do store what is the same for everybody."""

from __future__ import annotations

import pytest
from django.test import Client

from botfactory.accounts.models import User
from tests.conftest import signed_in
from tests.test_access import NOBODYS, OWN_PAGES

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_page_of_who_is_signed_in_is_kept(alice: User, admin: User) -> None:
    client, desk = signed_in(alice), signed_in(admin)
    paths = [path.format(**NOBODYS) for path in OWN_PAGES if path != "/accounts/logout/"]
    asked = [(client, path) for path in paths] + [(desk, path) for path in ("/admin/", "/admin/jsi18n/")]
    kept = [path for browser, path in asked if "no-store" not in browser.get(path).headers.get("Cache-Control", "")]
    assert len(asked) > 20 and kept == []


def test_files_and_what_strangers_see_may_be_kept(alice: User, charlie: Client) -> None:
    client = signed_in(alice)
    answer = client.get("/static/css/app.css")
    assert answer.status_code == 200 and "no-store" not in answer.headers["Cache-Control"]
    assert "no-store" not in charlie.get("/").headers.get("Cache-Control", "")
