"""Everything that a bot wrote for a person: listed, and deleted at once."""

from __future__ import annotations

import pytest

from botfactory.accounts.models import User
from botfactory.rest.models import KeptAnswer
from models_app.bots.rows import TrainedModel
from models_app.sharing import rights as sharing
from models_app.writing.keeping import services as keeping
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.keeping.written import ON_A_PAGE
from models_app.writing.rows import Generation
from tests.conftest import signed_in
from tests.models_app.conftest import untrained
from tests.rest.helpers import Program
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bot(corpus: Corpus, base: TrainedModel) -> TrainedModel:
    Corpus.objects.filter(pk=corpus.pk).update(basis="own")
    return untrained(corpus, base)


def wrote(model: TrainedModel, owner: User, *posts: str) -> Generation:
    return Generation.objects.create(model=model, owner=owner, posts=list(posts), sampling={"count": 1}, seconds=0.1)


def test_all_posts_are_listed_newest_first(bot: TrainedModel, alice: User, bob: User) -> None:
    for number in range(ON_A_PAGE + 2):
        wrote(bot, alice, f"Post number {number}, she wrote.")
    wrote(bot, bob, "A secret of Bob’s.")
    client, address = signed_in(alice), f"/models/{bot.pk}/written/"
    assert f'href="{address}"' in client.get(bot.get_absolute_url()).content.decode()
    first, second = (client.get(address, {"page": page}).content.decode() for page in (1, 2))
    assert first.index("Post number 11,") < first.index("Post number 10,") < first.index("Post number 2,")
    assert "Post number 1," in second and "Post number 0," in second and "Post number 2," not in second
    assert "Bob’s" not in first + second


def test_a_bot_that_wrote_nothing_says_so(bot: TrainedModel, alice: User, bob: User) -> None:
    assert "No posts yet." in signed_in(alice).get(f"/models/{bot.pk}/written/").content.decode()
    assert signed_in(bob).get(f"/models/{bot.pk}/written/").status_code == 404


def test_all_are_deleted_at_once_but_for_what_is_kept(bot: TrainedModel, alice: User, bob: User) -> None:
    mine = [wrote(bot, alice, "One.", "Two."), wrote(bot, alice, "Three.")]
    theirs = wrote(bot, bob, "Four.")
    kept = keeping.keep(generation=mine[0], number=1)
    said = signed_in(alice).post(f"/models/{bot.pk}/written/delete", follow=True).content.decode()
    assert "3 posts were deleted." in said
    assert list(Generation.objects.values_list("pk", flat=True)) == [theirs.pk]
    assert KeptPost.objects.get(pk=kept.pk).text == "Two."


def test_a_program_deletes_them_and_their_kept_answers(bot: TrainedModel, alice: User, bob: User) -> None:
    program = Program(alice)
    wanted = {"n": 1, "max_characters": 20}
    address = f"/models/{bot.pk}/generate"
    first = program.post(address, wanted, Idempotency_Key="once").json()
    wrote(bot, bob, "Bob’s.")
    assert KeptAnswer.objects.filter(body__contains=first["id"]).exists()
    assert program.ask("DELETE", f"/generations?model={bot.pk}").status_code == 204
    assert not KeptAnswer.objects.filter(body__contains=first["id"]).exists()
    assert [left.owner for left in Generation.objects.all()] == [bob]
    assert program.ask("DELETE", f"/generations?model={bot.pk}").status_code == 204  # there are none left
    assert program.ask("DELETE", "/generations").status_code == 422
    assert Program(bob).ask("DELETE", f"/generations?model={bot.pk}").status_code == 204
    assert not Generation.objects.exists()


def test_a_wrong_address_says_so_once(bot: TrainedModel, alice: User) -> None:
    for number in range(3):
        wrote(bot, alice, f"Post {number}.")
    answer = signed_in(alice).get(f"/models/{bot.pk}/written/?page=abc")
    assert answer.status_code == 400 and answer.content.decode().count('role="alert"') == 1
    assert "Post 2." in answer.content.decode()


def test_deleting_one_of_the_list_leads_back_to_its_page(bot: TrainedModel, alice: User) -> None:
    written = [wrote(bot, alice, f"Post {number}.") for number in range(ON_A_PAGE + 2)]
    client = signed_in(alice)
    page = client.get(f"/models/{bot.pk}/written/?page=2").content.decode()
    action = f"/generations/{written[0].pk}/delete?page=2"
    assert f'action="{action}"' in page
    assert client.post(action)["Location"] == f"/models/{bot.pk}/written/?page=2"
    assert client.post(f"/generations/{written[1].pk}/delete")["Location"] == bot.get_absolute_url()
    assert client.post(f"/generations/{written[2].pk}/delete?page=1")["Location"] == f"/models/{bot.pk}/written/"
    # Beyond the last page is the last page.
    assert "Post 3." in client.get(f"/models/{bot.pk}/written/?page=2").content.decode()


def test_posts_by_a_bot_that_is_no_longer_shared_stay_the_persons(bot: TrainedModel, alice: User, bob: User) -> None:
    shared = sharing.share(TrainedModel.objects.get(pk=bot.pk), "public")
    wrote(bot, bob, "Written while it was shared.")
    sharing.share(shared, "private")
    client, address = signed_in(bob), f"/models/{bot.pk}/written/"
    assert "Written while it was shared." in client.get(address).content.decode()
    assert client.post(f"{address}delete").status_code == 302
    assert client.get(address).status_code == 404


def test_the_last_of_the_list_leads_to_a_page_that_is_there(bot: TrainedModel, alice: User, bob: User) -> None:
    shared = sharing.share(TrainedModel.objects.get(pk=bot.pk), "public")
    last = wrote(bot, bob, "The only one.")
    sharing.share(shared, "private")
    answer = signed_in(bob).post(f"/generations/{last.pk}/delete?page=1", follow=True)
    assert answer.status_code == 200 and "The posts were deleted." in answer.content.decode()


@pytest.mark.parametrize(("temperature", "is_told"), [(0.9, True), (0, False)])
def test_drafts_are_told_only_if_there_was_a_choice(
    alice: User, bot: TrainedModel, temperature: float, is_told: bool
) -> None:
    generation = wrote(bot, alice, "a whale on the bus")
    Generation.objects.filter(pk=generation.pk).update(
        sampling={"count": 1, "best_of": 3, "temperature": temperature, "seed": 1}
    )
    page = signed_in(alice).get(f"/models/{bot.pk}/").content.decode()
    assert ("the best of 3 drafts for each post" in page) is is_told
