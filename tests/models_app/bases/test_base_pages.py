"""The pages for base models in the administration: who sees them, and what they do."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from models_app.bases import services as bases
from models_app.bots import versions
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.models_app.bases.base_jobs import done
from tests.models_app.bases.base_jobs import server as server
from tests.models_app.bases.base_jobs import small_network as small_network
from tests.product import save_small_base

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("small_network")]

PAGES = ["/admin/base-models/", *(f"/admin/base-models/{name}" for name in ("upload", "train", "evaluate"))]


def posts_to(base: TrainedModel) -> list[str]:
    acts = [f"/admin/base-models/{base.pk}/{act}" for act in ("promote", "retire", "bring_back")]
    return [*acts, "/admin/base-models/roll_back", "/admin/base-models/reset_recipe"]


def test_the_pages_are_for_administrators(
    charlie: Client, alice: User, bob: User, admin: User, base: TrainedModel
) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    for client, status in ((charlie, 302), (signed_in(alice), 403)):
        assert {client.get(page).status_code for page in PAGES} == {status}
        assert {client.post(page).status_code for page in posts_to(base)} == {status}
    staff = signed_in(bob)
    assert {staff.get(page).status_code for page in PAGES} == {403}
    assert {staff.post(page).status_code for page in posts_to(base)} == {403}
    bob.user_permissions.set(Permission.objects.filter(codename="view_trainedmodel"))
    staff = signed_in(bob)
    assert [staff.get(page).status_code for page in PAGES] == [200, 403, 403, 403]
    assert "Promote" not in staff.get(PAGES[0]).content.decode()
    assert {staff.post(page).status_code for page in [*PAGES[1:], *posts_to(base)]} == {403}
    desk = signed_in(admin)
    assert {desk.get(page).status_code for page in PAGES} == {200}
    assert {desk.get(page).status_code for page in posts_to(base)} == {405}
    base.refresh_from_db()
    assert base.is_base and base.retired_at is None


def test_the_page_promotes_retires_and_rolls_back(admin: User, base: TrainedModel) -> None:
    save_small_base(Path(settings.CHECKPOINTS_DIR), units=40)
    newer = versions.base_model()
    desk = signed_in(admin)

    def act(path: str) -> str:
        return desk.post(f"/admin/base-models/{path}", follow=True).content.decode()

    assert "Roll back to base" in desk.get("/admin/base-models/").content.decode()
    assert "New bots start from base now" in act(f"{base.pk}/promote")
    assert versions.base_model() == base
    assert "is already the base model" in act(f"{base.pk}/promote")
    assert "t retire the base model" in act(f"{base.pk}/retire")
    assert "base 2 is retired" in act(f"{newer.pk}/retire")
    assert "t roll back" in act("roll_back")
    assert "no longer retired" in act(f"{newer.pk}/bring_back")
    assert "start from base 2 again" in act("roll_back")
    assert versions.base_model() == newer
    for nowhere in (uuid.uuid4(), f"{admin.pk:036}"):
        assert desk.post(f"/admin/base-models/{nowhere}/promote").status_code == 404
    page = desk.get("/admin/base-models/").content.decode()
    assert "Rolled back" in page and "Came with the product" in page
    ours = page[page.index('id="content-main"') : page.index('id="footer"')]
    assert "<script" not in ours and "style=" not in ours and "onclick" not in ours


@pytest.mark.parametrize("page", ["train", "evaluate"])
def test_the_base_that_came_along_can_be_chosen_before_anybody_has_used_it(
    page: str, admin: User, server: Path, base: TrainedModel
) -> None:
    TrainedModel.objects.all().delete()
    answer = signed_in(admin).get(f"/admin/base-models/{page}").content.decode()
    assert f'value="{TrainedModel.objects.get().pk}"' in answer


def test_the_page_queues_trainings_and_evaluations(admin: User, bob: User, server: Path, base: TrainedModel) -> None:
    desk = signed_in(admin)
    form: dict[str, Any] = {"name": "next", "validation": "valid.txt", "network": "glr", "megabytes": "0.02"}
    form["learn_from"] = ["deep/train.txt"]
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"megabytes": ""}, "how long"),
        ({"learn_from": ["../secret.txt"]}, "not one of the available choices"),
        ({"start": str(bob.pk)}, "not one of the available choices"),
        ({"batch_size": "0"}, "greater than or equal to 1"),
        ({"batch_size": "4096", "sequence_length": "1024"}, "4,194,304 symbols in a step"),
        ({"new_tags": "2"}, "less than or equal to 1"),
        ({"vocabulary": "300"}, "greater than or equal to 512"),
        ({"vocabulary": "4096", "network": "lstm"}, "kind glr only"),
        ({"vocabulary": "4096", "start": str(base.pk)}, "keeps its vocabulary"),
    ]
    for wrong, sentence in wrongs:
        answer = desk.post("/admin/base-models/train", form | wrong)
        assert answer.status_code == 400 and sentence in answer.content.decode(), wrong
    answer = desk.post("/admin/base-models/train", form | {"batch_size": "8", "new_names": "0.5", "vocabulary": "4096"})
    job = Job.objects.get(kind=bases.TRAIN_BASE)
    assert (job.arguments["chosen"]["batch_size"], job.arguments["chosen"]["new_names"]) == (8, 0.5)
    # Windows of tokens are shorter.
    assert job.arguments["network"]["vocabulary"] == "bpe-of-4096" and job.arguments["chosen"]["sequence_length"] == 32
    assert answer.status_code == 302 and answer["Location"] == f"/jobs/{job.pk}/"
    page = desk.get(answer["Location"]).content.decode()
    assert "js/base-training." in page and 'data-unit="megabytes" data-budget="0.02"' in page
    assert "nats per token." in page and "0.02 MB" in page
    assert signed_in(bob).get(f"/jobs/{job.pk}/").status_code == 404
    upload = SimpleUploadedFile("mine.txt", "\n".join(make_posts(20, seed=3)).encode())
    answer = desk.post("/admin/base-models/evaluate", {"models": [str(base.pk)], "upload": upload})
    measured = Job.objects.get(kind=bases.EVALUATE_BASES)
    assert answer.status_code == 302 and "js/base-evaluation." in desk.get(answer["Location"]).content.decode()
    assert desk.post("/admin/base-models/evaluate", {"models": [str(base.pk)]}).status_code == 400
    done(measured)
    # Another administrator finds both and can watch them in the administration.
    other = User.objects.create_superuser(username="other")
    page = signed_in(other).get("/admin/base-models/").content.decode()
    assert f"/admin/jobs/job/{job.pk}/change/" in page and f"/admin/jobs/job/{measured.pk}/change/" in page
    assert f"{measured.result['models'][0]['bits_per_character']:.3f}" in page
