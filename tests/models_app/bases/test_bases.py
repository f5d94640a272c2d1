"""Versions of the base model: a shipped one becomes a version; versions are promoted, rolled back and retired."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from botfactory.accounts import services as accounts
from botfactory.accounts.models import User
from botfactory.jobs import worker
from models_app.bases import services as bases
from models_app.bots import files, loading, registry, versions
from models_app.bots.errors import ModelRetired
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.networks.registry import small_network
from models_app.training import planning, starting_points
from models_app.writing import generations
from tests.at_once import at_once
from tests.conftest import signed_in
from tests.models_app.conftest import train
from tests.product import save_small_base
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def ship(units: int) -> TrainedModel:
    """Do what a `git pull` with another base model does, and then make a request."""
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=units)
    return versions.base_model()


def history() -> list[tuple[str, str, str]]:
    return [(change.how, change.model_name, change.by_name) for change in BaseChange.objects.order_by("pk")]


def test_what_is_shipped_is_a_version_with_files_of_its_own(base: TrainedModel) -> None:
    assert (base.name, base.origin, base.is_base) == ("base", "shipped", True)
    assert base.directory == f"bases/{base.pk}"
    assert loading.load(base).sha256 == base.sha256 == versions.shipped_sha256()
    assert versions.base_model() == base and TrainedModel.objects.count() == 1
    assert history() == [("shipped", "base", "")]


def test_an_empty_folder_elsewhere_gets_the_shipped_models_of_the_repository(
    base: TrainedModel, settings: Any, tmp_path: Path
) -> None:
    TrainedModel.objects.all().delete()
    settings.SHIPPED_DIR, settings.CHECKPOINTS_DIR = settings.CHECKPOINTS_DIR, tmp_path / "elsewhere"
    shipped = {path: path.read_bytes() for path in Path(settings.SHIPPED_DIR).rglob("*") if path.is_file()}
    (tmp_path / "elsewhere" / "fluent").mkdir(parents=True)  # a training that has saved no weights yet
    taken = versions.base_model()
    assert taken.origin == "shipped" and loading.load(taken).sha256 == base.sha256
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"bases", "fluent"}
    assert versions.base_model() == taken and TrainedModel.objects.count() == 1
    assert {path: path.read_bytes() for path in shipped} == shipped
    # What is there counts instead, and so does what a training saves there right now.
    save_small_base(tmp_path / "elsewhere", units=40)
    assert versions.base_model().network["units"] == 40
    (tmp_path / "elsewhere" / "base").rename(tmp_path / "elsewhere" / ".base.old")
    assert versions.shipped_sha256() == versions.base_model().sha256 != base.sha256


@pytest.mark.differs
def test_of_many_processes_that_see_it_first_one_takes_it_in(transactional_db: None) -> None:
    shutil.rmtree(settings.CHECKPOINTS_DIR, ignore_errors=True)
    save_small_base(Path(settings.CHECKPOINTS_DIR))
    assert len(set(at_once(6, versions.base_model))) == 1
    assert history() == [("shipped", "base", "")]


def test_an_update_of_the_product_brings_a_new_base_and_keeps_the_old_one(base: TrainedModel) -> None:
    newer = ship(40)
    assert newer != base and newer.name == "base 2" and newer.network["units"] == 40
    assert small_network(loading.load(TrainedModel.objects.get(pk=base.pk)).network).units == 32
    assert TrainedModel.objects.get(is_base=True) == newer
    assert history() == [("shipped", "base", ""), ("shipped", "base 2", "")]


def test_an_update_does_not_undo_what_the_administrator_has_chosen(base: TrainedModel, admin: User) -> None:
    newer = ship(40)
    bases.roll_back(by=admin)
    newest = ship(48)
    assert newest == base
    assert TrainedModel.objects.filter(name="base 3", origin="shipped", is_base=False).exists()
    # If the administrator rolls back to the shipped model, they get the next shipped one.
    bases.promote(TrainedModel.objects.get(name="base 3"), by=admin)
    assert ship(56).name == "base 4"
    assert newer.is_base


def test_a_training_that_still_writes_there_is_not_taken_in(base: TrainedModel) -> None:
    source = versions.shipped_directory()
    loaded = checkpoint.load(source)
    weights = {name: array + 1 for name, array in loaded.weights.items()}
    checkpoint.save(source, network=loaded.network, weights=weights, meta={"sample": True})
    assert versions.base_model() == base and TrainedModel.objects.count() == 1
    checkpoint.save(source, network=loaded.network, weights=weights, meta={"sample": False})
    assert versions.base_model() != base


def test_a_shipped_base_that_is_damaged_or_gone_leaves_the_base_as_it_is(base: TrainedModel) -> None:
    (versions.shipped_directory() / checkpoint.WEIGHTS).write_bytes(b"cut")
    (versions.shipped_directory() / checkpoint.CONFIG).write_text("{}")
    assert versions.base_model() == base
    shutil.rmtree(versions.shipped_directory())
    assert versions.base_model() == base


def test_half_an_update_is_not_taken_in(base: TrainedModel) -> None:
    """Write the new config.json, with the old weights."""
    source = versions.shipped_directory()
    weights = (source / checkpoint.WEIGHTS).read_bytes()
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    whole = (source / checkpoint.WEIGHTS).read_bytes()
    (source / checkpoint.WEIGHTS).write_bytes(weights)
    assert versions.base_model() == base and TrainedModel.objects.count() == 1
    (source / checkpoint.WEIGHTS).write_bytes(whole)
    assert versions.base_model().name == "base 2"
    assert sorted(path.name for path in files.path_of(base).parent.iterdir()) == sorted(
        str(model.pk) for model in TrainedModel.objects.all()
    )


def test_files_that_were_lost_are_copied_again(base: TrainedModel) -> None:
    shutil.rmtree(files.path_of(base))
    assert loading.load(versions.base_model()).sha256 == base.sha256


def test_files_that_were_damaged_are_copied_again_once_their_folder_is_deleted(base: TrainedModel) -> None:
    (files.path_of(base) / checkpoint.WEIGHTS).write_bytes(b"cut")
    # Restoring the shipped files doesn't help, because the version has a copy of its own.
    save_small_base(Path(settings.CHECKPOINTS_DIR))
    with pytest.raises(CheckpointError):
        loading.load(versions.base_model())
    shutil.rmtree(files.path_of(base))
    assert loading.load(versions.base_model()).sha256 == base.sha256


def test_an_installation_whose_base_lay_in_the_shipped_folder_goes_on(base: TrainedModel, alice: User) -> None:
    shutil.rmtree(files.path_of(base))
    BaseChange.objects.all().delete()
    TrainedModel.objects.filter(pk=base.pk).update(directory="base", origin="")
    bot = TrainedModel.objects.create(owner=alice, name="Bot", parent=base, directory="users/1/x", sha256="0" * 64)
    again = versions.base_model()
    assert (again.pk, again.directory, again.origin) == (base.pk, f"bases/{base.pk}", "shipped")
    assert loading.load(again).sha256 == base.sha256
    bot.refresh_from_db()
    assert bot.parent == again and TrainedModel.objects.count() == 2


def test_a_bot_of_an_earlier_base_writes_and_says_its_parent(
    base: TrainedModel, model: TrainedModel, alice: User, bob: User, admin: User
) -> None:
    newer = ship(40)
    registry.retire(base)
    sampling = SamplingConfig(count=1, seed=1)
    assert generations.generate(model=model, owner=alice, sampling=sampling).posts
    page = signed_in(alice).get(f"/models/{model.pk}/").content.decode()
    assert f'the earlier base model <a href="/models/{base.pk}/">base</a>' in page
    assert "An earlier base model" in signed_in(alice).get(f"/models/{base.pk}/").content.decode()
    # Nobody else can see it, and nobody can start from it.
    assert signed_in(bob).get(f"/models/{base.pk}/").status_code == 404
    assert signed_in(admin).get(f"/models/{base.pk}/").status_code == 404
    assert starting_points.bases_for_user(alice) == [newer, model]
    with pytest.raises(ModelRetired):
        starting_points.start_for_user(alice, base.pk)
    model.refresh_from_db()
    assert (model.parent, model.parent_name) == (base, "base")
    assert loading.load(base).sha256 == base.sha256


def test_a_training_goes_on_from_the_version_it_was_queued_with(base: TrainedModel, corpus: Corpus) -> None:
    queued = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=1, run_here=True)
    newer = ship(40)
    job = worker.run_claimed(queued)
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert model.parent == base and model.network["units"] == 32
    after = TrainedModel.objects.get(pk=train(corpus, newer).result["model"])
    assert after.parent == newer and after.network["units"] == 40


def test_rolling_back_is_promoting_the_one_before(base: TrainedModel, admin: User) -> None:
    newer = ship(40)
    assert bases.one_before() == base
    assert bases.roll_back(by=admin) == base == versions.base_model()
    assert bases.roll_back(by=admin) == newer == versions.base_model()
    assert history()[2:] == [("rolled_back", "base", "admin"), ("rolled_back", "base 2", "admin")]
    User.objects.create(username="second", is_staff=True, is_superuser=True)
    accounts.delete_account(admin)
    assert history()[2:] == [("rolled_back", "base", "admin"), ("rolled_back", "base 2", "admin")]


def test_there_is_nothing_to_roll_back_to_where_the_one_before_is_retired(base: TrainedModel, admin: User) -> None:
    with pytest.raises(bases.BaseError, match="t roll back"):
        bases.roll_back(by=admin)
    newer = ship(40)
    registry.retire(base)
    with pytest.raises(bases.BaseError, match="t roll back"):
        bases.roll_back(by=admin)
    assert versions.base_model() == newer


def test_what_is_damaged_is_not_promoted(base: TrainedModel, admin: User) -> None:
    newer = ship(40)
    (files.path_of(base) / checkpoint.WEIGHTS).write_bytes(b"x")
    for act in (bases.roll_back, lambda by: bases.promote(base, by=by)):
        base.refresh_from_db()
        with pytest.raises(bases.BaseError, match="its weights have changed"):
            act(by=admin)
    assert versions.base_model() == newer


def test_a_version_with_bots_or_that_is_shipped_is_not_deleted(base: TrainedModel, model: TrainedModel) -> None:
    newer = ship(40)
    base.refresh_from_db()
    with pytest.raises(versions.KeptVersion, match="1 bot started from it"):
        registry.delete(base)
    registry.delete(model)
    registry.delete(base)
    assert not files.path_of(base).exists()
    versions.make_base(
        other := versions.add_version(files.path_of(newer), name="other", origin=TrainedModel.Origin.UPLOADED),
        how=BaseChange.How.PROMOTED,
    )
    newer.refresh_from_db()
    with pytest.raises(versions.KeptVersion, match="comes with the product"):
        registry.delete(newer)
    with pytest.raises(versions.NoBaseModel):
        registry.delete(other)
