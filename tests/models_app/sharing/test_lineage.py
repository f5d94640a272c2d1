"""The tree of models on a bot's page, and the curves of several bots in one chart."""

from __future__ import annotations

import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.sharing.lineage import Node, lineage_of
from models_app.writing.comparing import curves
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.models_app.shared_bot import make_bot
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def lines(node: Node, depth: int = 0) -> list[str]:
    """Return the tree, a line for each model."""
    mark = "*" if node.is_this else ""
    return [f"{'  ' * depth}{node.name}{mark}", *(line for child in node.children for line in lines(child, depth + 1))]


@pytest.fixture
def family(corpus: Corpus, base: TrainedModel) -> dict[str, TrainedModel]:
    parent = make_bot(corpus, base, "Parent")
    this = make_bot(corpus, base, "This", parent)
    return {
        "parent": parent,
        "this": this,
        "sister": make_bot(corpus, base, "Sister", parent),
        "child": make_bot(corpus, base, "Child", this),
        "second": make_bot(corpus, base, "Second child", this),
    }


def test_the_tree_leads_from_the_base_through_the_bot_to_what_came_from_it(
    alice: User, base: TrainedModel, family: dict[str, TrainedModel]
) -> None:
    tree = [base.name, "  Parent", "    This*", "      Child", "      Second child"]
    assert lines(lineage_of(alice, family["this"])) == tree
    page = signed_in(alice).get(family["this"].get_absolute_url()).content.decode()
    assert '<strong aria-current="page">This</strong>' in page
    assert f'href="{family["child"].get_absolute_url()}#learning"' in page and "Sister" not in page


def test_the_base_shows_each_viewer_their_own_bots(
    alice: User, bob: User, base: TrainedModel, family: dict[str, TrainedModel]
) -> None:
    bobs = make_bot(import_posts(bob, seed=2), base, "Of bob")
    assert lines(lineage_of(bob, base)) == [f"{base.name}*", "  Of bob"]
    assert "Of bob" not in lines(lineage_of(alice, base)) and "    Sister" in lines(lineage_of(alice, base))
    assert "Parent" not in signed_in(bob).get(base.get_absolute_url()).content.decode()
    assert signed_in(bob).get(family["this"].get_absolute_url()).status_code == 404
    assert signed_in(alice).get(bobs.get_absolute_url()).status_code == 404


def test_the_bot_of_another_person_has_no_name_in_the_tree_and_a_deleted_one_keeps_its(
    alice: User, bob: User, base: TrainedModel, family: dict[str, TrainedModel]
) -> None:
    further = make_bot(import_posts(bob, seed=2), base, "Further", family["parent"])
    assert lines(lineage_of(bob, further)) == [base.name, "  Another person’s bot", "    Further*"]
    TrainedModel.objects.filter(pk=family["parent"].pk).delete()
    orphan = TrainedModel.objects.get(pk=family["this"].pk)
    assert lines(lineage_of(alice, orphan))[:2] == ["alice/Parent (deleted)", "  This*"]


def test_the_tree_costs_two_queries_for_any_number_of_bots(alice: User, family: dict[str, TrainedModel]) -> None:
    child = TrainedModel.objects.select_related("owner", "corpus", "parent").get(pk=family["child"].pk)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        lineage_of(alice, child)
    assert len(queries) <= 2


@pytest.fixture
def learners(family: dict[str, TrainedModel]) -> dict[str, TrainedModel]:
    for number, model in enumerate(family.values()):
        model.history = [{"epoch": n, "bits_per_character": 2.5 - number / 10 - n / 100} for n in (1, 2)]
        model.save()
    return family


def test_curves_are_those_of_the_chosen_bots(alice: User, learners: dict[str, TrainedModel]) -> None:
    asked = "&".join(f"bot={learners[name].pk}" for name in ("child", "this"))
    page = signed_in(alice).get(f"/compare/curves?{asked}")
    assert [line["name"] for line in page.context["lines"]] == ["Child", "This"]
    assert page.context["lines"][1]["points"] == ((1, 2.39), (2, 2.38))
    told = page.content.decode()
    assert json.dumps("Child") in told and "2.180" in told and told.count(" checked>") == 2


def test_a_corpus_names_all_its_bots_and_without_a_choice_the_newest_are_shown(
    alice: User, corpus: Corpus, learners: dict[str, TrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(alice)
    of_corpus = client.get(f"/compare/curves?corpus={corpus.pk}").context["lines"]
    assert {line["name"] for line in of_corpus} == {model.name for model in learners.values()}
    monkeypatch.setattr(curves, "MOST", 2)
    assert [line["name"] for line in client.get("/compare/curves").context["lines"]] == ["Second child", "Child"]


def test_nobody_sees_the_curve_of_another_persons_bot(
    bob: User, admin: User, corpus: Corpus, base: TrainedModel, learners: dict[str, TrainedModel]
) -> None:
    for stranger in (bob, admin):
        client = signed_in(stranger)
        for asked in (
            f"bot={learners['this'].pk}",
            f"corpus={corpus.pk}",
            f"bot={base.pk}",
            f"bot={uuid.uuid4()}",
            "bot=x",
        ):
            assert client.get(f"/compare/curves?{asked}").status_code == 404
        assert client.get("/compare/curves").context["lines"] == []


def test_a_bot_without_a_curve_is_no_choice(alice: User, bot: TrainedModel) -> None:
    page = signed_in(alice).get("/compare/curves")
    assert page.context["choices"] == [] and "None of your bots has been trained" in page.content.decode()
    assert signed_in(alice).get(f"/compare/curves?bot={bot.pk}").context["lines"] == []
