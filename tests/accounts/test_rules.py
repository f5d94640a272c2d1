"""The house rules are read once for each request, and anew for the next."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import HouseRules
from botfactory.accounts.rules import house_rules, read_once

pytestmark = pytest.mark.django_db


def test_within_one_reading_the_rules_cost_one_query_and_stay_the_same(django_assert_num_queries: Any) -> None:
    with read_once():
        with django_assert_num_queries(1):
            assert not house_rules().administrators_need_two_factor
            assert house_rules() is house_rules()
        HouseRules.objects.create(pk=1, administrators_need_two_factor=True)
        assert not house_rules().administrators_need_two_factor
    assert house_rules().administrators_need_two_factor


def test_a_change_counts_from_the_next_request_on(settings: Any) -> None:
    settings.SIGNUP_MODE, client = "open", Client()
    assert b"/accounts/signup/" in client.get("/").content
    HouseRules.objects.create(pk=1, signup_mode="closed")
    assert client.get("/accounts/signup/").status_code == 200  # the first person always can
    HouseRules.objects.update(open_gallery=True, public_sharing=True)
    assert b'href="/gallery/"' in client.get("/").content
    HouseRules.objects.update(open_gallery=False)
    assert b'href="/gallery/"' not in client.get("/").content
