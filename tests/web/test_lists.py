"""The lists of jobs, bots and posts: paged, searched and filtered, at the same cost for any length."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.web.listing import SHORT
from models_app.bots.rows import TrainedModel
from models_app.pages import bot_list
from models_app.writing.keeping.rows import PostReport
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db, pytest.mark.differs]

LONG_ERROR = "The server answered with something that is no list of posts. " * 20
FINISHED = [State.SUCCEEDED, State.FAILED, State.CANCELLED]


def make_jobs(owner: User, count: int, **values: Any) -> None:
    values = {"kind": "import", "queue": "default", "state": State.SUCCEEDED, **values}
    Job.objects.bulk_create(Job(owner=owner, title=f"Import {number}.", **values) for number in range(count))


def make_corpora(owner: User, count: int, **values: Any) -> None:
    values = {"source": "text", "state": Corpus.State.READY, **values}
    Corpus.objects.bulk_create(Corpus(owner=owner, name=f"Posts {number}.", **values) for number in range(count))


def make_bots(owner: User, count: int, **values: Any) -> None:
    TrainedModel.objects.bulk_create(
        TrainedModel(owner=owner, name=f"Bot {number}.", directory="x", **values) for number in range(count)
    )


LISTS = pytest.mark.parametrize(
    ("path", "make", "size"),
    [("/jobs/", make_jobs, 25), ("/corpora/", make_corpora, 25), ("/models/", make_bots, 24)],
    ids=["jobs", "posts", "bots"],
)
Make = Callable[..., None]


def main_of(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return re.sub(r"\s+", " ", answer.content.decode().split("<main")[1].split("</main>")[0])


def numbers_in(main: str) -> list[int]:
    return [int(number) for number in re.findall(r'<a href="/\w+/[0-9a-f-]+/">\w+ (\d+)\.<', main)]


@LISTS
def test_each_row_is_on_one_page(alice: User, path: str, make: Make, size: int) -> None:
    make(alice, 130)
    client, address, seen, pages = signed_in(alice), path, [], 0
    while address:
        main = main_of(client, address)
        seen += numbers_in(main)
        pages += 1
        onward = re.search(r'rel="next" href="([^"]+)"', main)
        address = path + onward[1] if onward else ""
    assert sorted(seen) == list(range(130)) and pages == 6


@LISTS
def test_a_page_says_where_it_is_and_leads_to_its_neighbours(alice: User, path: str, make: Make, size: int) -> None:
    make(alice, 2_000)
    client = signed_in(alice)
    first, third, last = (main_of(client, f"{path}{query}") for query in ("", "?page=3", "?page=99999"))
    assert f"1–{size} of 2,000" in first and 'rel="prev"' not in first and 'href="?page=2"' in first
    assert f"{2 * size + 1}–{3 * size} of 2,000" in third and 'rel="prev" href="?page=2"' in third
    assert 'aria-current="page">3<' in third
    assert "–2,000 of 2,000" in last and 'rel="next"' not in last


@LISTS
def test_a_short_list_has_no_search_and_one_page_has_no_pager(alice: User, path: str, make: Make, size: int) -> None:
    client = signed_in(alice)
    make(alice, SHORT)
    main = main_of(client, path)
    assert len(numbers_in(main)) == SHORT
    assert 'class="pager"' not in main and 'type="search"' not in main
    for rows in (Job, Corpus, TrainedModel):
        rows.objects.all().delete()
    make(alice, size)
    main = main_of(client, path)
    assert len(numbers_in(main)) == size
    assert 'class="pager"' not in main and 'type="search"' in main


@LISTS
def test_a_search_stays_in_the_address_of_each_page(alice: User, path: str, make: Make, size: int) -> None:
    make(alice, 200)
    client = signed_in(alice)
    main = main_of(client, f"{path}?q=1")
    assert all("1" in str(number) for number in numbers_in(main)) and len(numbers_in(main)) == size
    assert "119 " in main and "with “1”" in main and 'href="?q=1&amp;page=2"' in main and 'value="1"' in main
    assert sorted(numbers_in(main_of(client, f"{path}?q=77."))) == [77, 177]


@LISTS
def test_a_search_that_finds_nothing_says_so_and_leads_back(alice: User, path: str, make: Make, size: int) -> None:
    make(alice, 3)
    main = main_of(signed_in(alice), f"{path}?q=nowhere")
    assert numbers_in(main) == [] and f'<a href="{path}">Show all</a>' in main


@LISTS
def test_letters_are_found_in_any_case(alice: User, path: str, make: Make, size: int) -> None:
    make(alice, 1)
    for rows, field in ((Job, "title"), (Corpus, "name"), (TrainedModel, "name")):
        rows.objects.update(**{field: "ÄRGER 0."})
    assert numbers_in(main_of(signed_in(alice), f"{path}?q=ärger")) == [0]


@LISTS
@pytest.mark.parametrize("query", ["page=0", "page=x", f"page={'9' * 5000}", "state=sideways", f"q={'x' * 201}"])
def test_what_cannot_be_asked_is_told(alice: User, path: str, make: Make, size: int, query: str) -> None:
    make(alice, 1)
    assert 'role="alert"' in main_of(signed_in(alice), f"{path}?{query}", 400)


@LISTS
def test_a_page_asks_as_many_questions_for_2_000_rows_as_for_2(alice: User, path: str, make: Make, size: int) -> None:
    def questions() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            main_of(client, f"{path}?q=1")
        return len(asked)

    client = signed_in(alice)
    make(alice, 2)
    few = questions()
    for rows in (Job, Corpus, TrainedModel):
        rows.objects.all().delete()
    make(alice, 2_000)
    assert questions() == few


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("", {State.RUNNING, *FINISHED}),
        ("active", {State.RUNNING}),
        ("succeeded", {State.SUCCEEDED}),
        ("failed", {State.FAILED}),
        ("cancelled", {State.CANCELLED}),
    ],
)
def test_jobs_are_shown_by_their_state(alice: User, show: str, expected: set[str]) -> None:
    for state in (State.RUNNING, *FINISHED):
        make_jobs(alice, 1, state=state)
    main = main_of(signed_in(alice), f"/jobs/?state={show}")
    assert set(re.findall(r'class="state (\w+)"', main)) == expected


def test_what_is_at_work_comes_first_however_old_it_is(alice: User) -> None:
    make_jobs(alice, 1, state=State.RUNNING)
    make_jobs(alice, 60)
    client = signed_in(alice)
    assert main_of(client, "/jobs/").count("data-live-job") == 1
    assert main_of(client, "/jobs/?page=2").count("data-live-job") == 0


def test_posts_are_shown_by_their_state_and_found_by_their_account(alice: User) -> None:
    make_corpora(alice, 1, handle="town.example")
    make_corpora(alice, 1, state=Corpus.State.FAILED)
    make_corpora(alice, 1, state=Corpus.State.IMPORTING)
    client = signed_in(alice)
    shown = {show: main_of(client, f"/corpora/?state={show}") for show in ("ready", "importing", "failed")}
    words = {"ready": "Ready", "importing": "Importing", "failed": "Import cancelled"}
    assert {show: re.findall(r'class="state \w+">([^<]+)<', main) for show, main in shown.items()} == {
        show: [word] for show, word in words.items()
    }
    assert len(numbers_in(main_of(client, "/corpora/?q=@town"))) == 1


def test_bots_are_shown_by_who_can_find_them(alice: User) -> None:
    make_bots(alice, 3)
    for visibility, name in (("unlisted", "Bot 1."), ("public", "Bot 2.")):
        TrainedModel.objects.filter(name=name).update(visibility=visibility)
    client = signed_in(alice)
    found = {
        show: numbers_in(main_of(client, f"/models/?visibility={show}")) for show in TrainedModel.Visibility.values
    }
    assert found == {"private": [0], "unlisted": [1], "public": [2]}


def test_a_long_error_is_shortened_in_the_list_and_whole_on_the_page_of_its_job(alice: User) -> None:
    make_jobs(alice, 1, state=State.FAILED, error_code="bad_answer", error_message=LONG_ERROR)
    client = signed_in(alice)
    main = main_of(client, "/jobs/")
    assert LONG_ERROR[:100] in main and LONG_ERROR[:200] not in main
    assert LONG_ERROR.strip() in client.get(f"/jobs/{Job.objects.get().pk}/").content.decode()


@LISTS
def test_what_is_of_others_is_not_found(alice: User, bob: User, path: str, make: Make, size: int) -> None:
    make(alice, 30)
    client = signed_in(bob)
    assert numbers_in(main_of(client, path)) == numbers_in(main_of(client, f"{path}?q=1")) == []


def set_bots(owner: User, **columns: list[Any]) -> None:
    """Give the bots of `owner`, in the order of their names, these values."""
    bots = list(TrainedModel.objects.filter(owner=owner).order_by("name"))
    for name, values in columns.items():
        for bot, value in zip(bots, values, strict=True):
            setattr(bot, name, value)
            bot.save(update_fields=[name])


def test_bots_are_sorted_by_name_by_figure_and_by_when_they_last_wrote(alice: User, bob: User) -> None:
    make_bots(alice, 3)
    now = timezone.now()
    ages = [now - timedelta(days=age) for age in (1, 3, 2)]
    set_bots(alice, bits_per_character=[None, 2.0, 1.5], created_at=ages)
    bots = {bot.name: bot for bot in TrainedModel.objects.all()}
    for name, owner, hours in (("Bot 0.", alice, 5), ("Bot 2.", alice, 1), ("Bot 2.", alice, 9), ("Bot 1.", bob, 0)):
        at = now - timedelta(hours=hours)
        Generation.objects.create(model=bots[name], owner=owner, posts=["Hello."], seconds=1, created_at=at)
    client = signed_in(alice)
    orders = {sort: numbers_in(main_of(client, f"/models/?sort={sort}")) for sort in ("", "name", "bits", "written")}
    # Bot 1 has written for bob only, and bot 0 has no figure.
    assert orders == {"": [0, 2, 1], "name": [0, 1, 2], "bits": [2, 1, 0], "written": [2, 0, 1]}


def test_bots_are_shown_by_their_kind_and_state_with_one_dot_each(alice: User, bob: User) -> None:
    make_bots(alice, 4)
    make_jobs(alice, 1, state=State.RUNNING)
    set_bots(
        alice,
        tier=["fluent", "quick", "quick", "quick"],
        retired_at=[None, timezone.now(), None, None],
        job=[None, None, Job.objects.get(), None],
    )
    reported = TrainedModel.objects.get(name="Bot 3.")
    PostReport.objects.create(model=reported, reporter=bob, text="Hello.", number=0, reason="other")
    client = signed_in(alice)
    found = {state: numbers_in(main_of(client, f"/models/?state={state}")) for state in bot_list.STATES}
    assert found == {"ready": [0], "retired": [1], "busy": [2], "reported": [3]}
    assert numbers_in(main_of(client, "/models/?tier=fluent")) == [0]
    main = main_of(client, "/models/")
    assert main.count('class="dot') == 4
    for look, words in ((" good", "Ready"), ("", "Retired"), (" busy", "Report card in progress"), (" bad", "Posts")):
        assert main.count(f'<span class="dot{look}" title="{words}') == 1


def test_a_bot_shows_its_curve_without_a_script(alice: User) -> None:
    make_bots(alice, 1, history=[{"epoch": epoch, "validation_loss": loss} for epoch, loss in enumerate((2, 1.5, 1.6))])
    main = main_of(signed_in(alice), "/models/")
    assert 'aria-label="Validation loss: 2.00 at first, 1.50 at best"' in main
    assert '<polyline points="6.0,6.0 50.0,26.0 94.0,22.0">' in main and '<path d="M50.0 26.0h0">' in main


def test_jobs_are_shown_by_their_kind_and_sorted(alice: User) -> None:
    make_jobs(alice, 3)
    make_jobs(alice, 1, kind="fine_tune")
    Job.objects.filter(kind="fine_tune").update(title="Import 7.", created_at=timezone.now() - timedelta(days=1))
    client = signed_in(alice)
    assert numbers_in(main_of(client, "/jobs/?kind=fine_tune")) == [7]
    assert numbers_in(main_of(client, "/jobs/?sort=oldest"))[0] == 7
    assert numbers_in(main_of(client, "/jobs/?sort=title")) == [0, 1, 2, 7]
    # Only the kinds that the person has can be chosen.
    main = main_of(client, "/jobs/?q=7")
    assert '<option value="fine_tune">Training</option>' in main and "report_card" not in main
    assert 'role="alert"' in main_of(client, "/jobs/?kind=report_card", 400)


def test_posts_are_sorted_by_name_and_by_size(alice: User) -> None:
    make_corpora(alice, 3)
    for name, kept in (("Posts 1.", 9), ("Posts 2.", 5)):
        Corpus.objects.filter(name=name).update(posts_kept=kept)
    client = signed_in(alice)
    assert numbers_in(main_of(client, "/corpora/?sort=posts")) == [1, 2, 0]
    assert numbers_in(main_of(client, "/corpora/?sort=name")) == [0, 1, 2]


@LISTS
def test_the_order_stays_in_the_address_of_each_page(alice: User, path: str, make: Make, size: int) -> None:
    make(alice, 60)
    sort = "title" if path == "/jobs/" else "name"
    main = main_of(signed_in(alice), f"{path}?sort={sort}")
    assert f'href="?sort={sort}&amp;page=2"' in main and f'<option value="{sort}" selected>' in main
    # An order is no filter, so there are no others to show.
    assert "Show all" not in main


@pytest.mark.parametrize("asked", [{"stop_requested": True}, {"state": "cancelling"}])
def test_a_training_that_ends_early_does_not_say_how_far_the_whole_is(alice: User, asked: dict[str, Any]) -> None:
    progress = {"phase": "training", "epoch": 2, "epochs": 9, "fraction": 0.2}
    make_jobs(alice, 1, kind="fine_tune", queue="train", progress=progress, **{"state": State.RUNNING, **asked})
    card = main_of(signed_in(alice), "/jobs/").partition("<progress")[2].partition("</li>")[0]
    assert "Stopping" in card and "Epoch 2" not in card and "value=" not in card
