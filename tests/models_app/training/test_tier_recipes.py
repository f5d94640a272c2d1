"""The recipe of a tier: an administrator takes it from a trial, everybody's trainings begin with it, and it's reset."""

from __future__ import annotations

import pytest

from botfactory.accounts.models import User
from models_app.bots.rows import Tier, TrainedModel
from models_app.search import services as searches
from models_app.search.how import SearchError
from models_app.search.rows import Search, Trial
from models_app.training import planning, tier_recipes
from models_app.training.tier_recipes import TierRecipe
from tests.conftest import signed_in
from tests.models_app.conftest import import_posts
from tests.models_app.search.searching import search_for
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)
VALUES = {"learning_rate": 0.0015, "epochs": 3, "batch_size": 8}


@pytest.fixture
def search(admin: User, base: TrainedModel) -> Search:
    found = search_for(import_posts(admin), base)
    Trial.objects.create(search=found, number=0, state="complete", bits_per_character=2.0, parameters=VALUES)
    Trial.objects.create(search=found, number=1, state="pruned", bits_per_character=3.0, parameters=VALUES)
    return found


def test_new_trainings_begin_with_it_and_what_is_set_by_hand_counts_first(
    search: Search, admin: User, alice: User, corpus: Corpus, base: TrainedModel
) -> None:
    usual = planning.plan(owner=alice, corpus=corpus, start=base).config
    searches.make_recipe(search, None, by=admin)
    plan = planning.plan(owner=alice, corpus=corpus, start=base).config
    assert (plan.learning_rate, plan.batch_size, plan.epochs) == (0.0015, 8, 3)
    assert plan.clip_norm == usual.clip_norm
    by_hand = {"learning_rate": 0.003}
    plan = planning.plan(owner=alice, corpus=corpus, start=base, epochs=1, settings=by_hand).config
    assert (plan.learning_rate, plan.batch_size, plan.epochs) == (0.003, 8, 1)
    assert planning.automatic(corpus).learning_rate == 0.0015
    assert 'placeholder="0.0015"' in signed_in(alice).get(f"/corpora/{corpus.pk}/").content.decode()
    assert tier_recipes.reset(Tier.QUICK) and not tier_recipes.reset(Tier.QUICK)
    assert planning.plan(owner=alice, corpus=corpus, start=base).config == usual


def test_a_recipe_that_does_not_fit_does_not_count(corpus: Corpus, alice: User, base: TrainedModel) -> None:
    usual = planning.plan(owner=alice, corpus=corpus, start=base).config
    tier_recipes.keep(TierRecipe("quick", {"rounds": 10_000}, None, "x", 0, "x", "2026-11-28"))
    assert planning.plan(owner=alice, corpus=corpus, start=base).config == usual


def test_only_administrators_make_and_reset_it_on_pages(
    search: Search, admin: User, alice: User, corpus: Corpus, base: TrainedModel
) -> None:
    own = search_for(corpus, base)
    Trial.objects.create(search=own, number=0, state="complete", bits_per_character=2.0, parameters=VALUES)
    person, desk = signed_in(alice), signed_in(admin)
    assert person.post(f"/searches/{own.pk}/recipe").status_code == 403
    assert person.post(f"/searches/{search.pk}/recipe").status_code == 404
    assert "recipe" not in person.get(f"/searches/{own.pk}/").content.decode()
    with pytest.raises(SearchError):
        searches.make_recipe(own, None, by=alice)
    assert desk.post(f"/searches/{search.pk}/recipe", {"trial": "1"}).status_code == 400
    assert tier_recipes.all_recipes() == []
    assert f"/searches/{search.pk}/recipe" in desk.get(f"/searches/{search.pk}/").content.decode()
    page = desk.post(f"/searches/{search.pk}/recipe", {"trial": "0"}, follow=True).content.decode()
    assert "settings of trial 0" in page and "batch_size=8" in page and "epochs=3" in page
    assert person.post("/admin/base-models/reset_recipe", {"tier": "quick"}).status_code == 403
    assert desk.post("/admin/base-models/reset_recipe", {"tier": "none"}).status_code == 404
    assert len(tier_recipes.all_recipes()) == 1
    assert (
        "recommended settings again"
        in desk.post("/admin/base-models/reset_recipe", {"tier": "quick"}, follow=True).content.decode()
    )
    assert tier_recipes.all_recipes() == []
