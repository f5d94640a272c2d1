"""Reported posts: who may report what, how often, and who sees it."""

from __future__ import annotations

import pytest
from django.test import Client

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.writing.keeping import reports
from models_app.writing.keeping.rows import PostReport
from models_app.writing.rows import Generation
from tests.conftest import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def of_bob(bot: TrainedModel, bob: User) -> Generation:
    sharing.share(bot, "public")
    return Generation.objects.create(model=bot, owner=bob, posts=[f"bad post {n}" for n in range(30)], seconds=0.1)


def test_a_guest_reports_and_the_owner_and_the_administrator_see_it(
    of_bob: Generation, bot: TrainedModel, alice: User, bob: User, admin: User
) -> None:
    guest, path, page = signed_in(bob), f"/generations/{of_bob.pk}/report", f"/models/{bot.pk}/"
    assert "What is wrong with this post?" in guest.get(f"{path}?post=3").content.decode()
    body = {"post": "3", "reason": "personal", "note": " my  number "}
    for _ in range(2):
        assert guest.post(path, body).status_code == 302
    assert PostReport.objects.get().note == "my number"
    shown = signed_in(alice).get(page).content.decode()
    assert "bad post 3" in shown and "It has personal data" in shown and "my number" in shown and "bob" not in shown
    assert "1 reported post" in signed_in(alice).get("/").content.decode()
    assert "1 reported post" in signed_in(admin).get("/").content.decode()
    assert "reported post" not in guest.get("/").content.decode()
    boss = signed_in(admin)
    listed = boss.get("/admin/models_app/postreport/").content.decode()
    assert "bad post 3" in listed and "bob" in listed
    report = PostReport.objects.get()
    signed_in(alice).post(f"/reports/{report.pk}/close")
    assert "bad post 3" not in signed_in(alice).get(page).content.decode()
    assert "reported post" not in signed_in(alice).get("/").content.decode()


def test_the_administrator_closes_reports(of_bob: Generation, admin: User) -> None:
    report = reports.report(generation=of_bob, number=0, reason="other")
    body = {"action": "close", "_selected_action": [str(report.pk)]}
    page = signed_in(admin).post("/admin/models_app/postreport/", body, follow=True).content.decode()
    report.refresh_from_db()
    assert report.closed_at is not None and "1 report marked as done." in page


def test_nobody_reports_their_own_bot_or_what_was_written_for_others(
    of_bob: Generation, bot: TrainedModel, alice: User, admin: User, charlie: Client
) -> None:
    own = Generation.objects.create(model=bot, owner=alice, posts=["mine"], seconds=0.1)
    body = {"post": "0", "reason": "other"}
    assert signed_in(alice).post(f"/generations/{own.pk}/report", body).status_code == 404
    with pytest.raises(reports.ReportError, match="your own bot"):
        reports.report(generation=own, number=0, reason="other")
    path = f"/generations/{of_bob.pk}/report"
    found = [client.post(path, body).status_code for client in (signed_in(alice), signed_in(admin), charlie)]
    assert found == [404, 404, 302] and not PostReport.objects.exists()
    assert f"/generations/{own.pk}/report" not in signed_in(alice).get(f"/models/{bot.pk}/").content.decode()


def test_a_report_needs_a_reason_and_their_number_is_limited(of_bob: Generation, bob: User) -> None:
    guest, path = signed_in(bob), f"/generations/{of_bob.pk}/report"
    answer = guest.post(path, {"post": "0", "reason": "x"})
    assert answer.status_code == 400 and "Choose what is wrong" in answer.content.decode()
    for number in range(reports.MAX_A_DAY):
        reports.report(generation=of_bob, number=number, reason="hurtful")
    answer = guest.post(path, {"post": "25", "reason": "hurtful"})
    assert answer.status_code == 400 and "at most 20 posts within 24 hours" in answer.content.decode()
    assert PostReport.objects.count() == reports.MAX_A_DAY
