"""Base models from the Hugging Face Hub, against a local server that speaks its API and has its faults."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.conf import settings as site
from django.core.management import CommandError, call_command
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import Job
from models_app.bases import services as bases
from models_app.bases.getting import fetching, hub, runner, services
from models_app.bases.getting.suggested import SUGGESTED, PinnedModel
from models_app.bots import loading, versions
from models_app.bots.rows import Tier, TrainedModel
from tests.conftest import signed_in
from tests.fakes.hub_server import COMMIT, REPOSITORY, HubServer
from tests.models_app import tiny_llama
from tests.models_app.bases.test_adding import folders
from tests.models_app.conftest import import_posts
from tests.product import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/base-models/get"
WEIGHTS = "model.safetensors"


@pytest.fixture
def server(base: TrainedModel, tmp_path: Path, settings: LazySettings) -> Iterator[HubServer]:
    with HubServer(tiny_llama.hugging_face(tmp_path / "Tiny-1M")) as running:
        settings.HF_ENDPOINT = running.url
        yield running


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_BREATH", 0.01)


def got(admin: User, repository: str = REPOSITORY) -> Job:
    return again(services.get(by=admin, repository=repository))


def again(job: Job) -> Job:
    """Let a worker make one attempt, whenever it's due."""
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    worker.run_next("default")
    job.refresh_from_db()
    return job


def files_of(job: Job) -> list[str]:
    return sorted(path.name for path in work_dir(job).rglob("*") if path.is_file())


def test_a_model_comes_from_the_hub_and_becomes_a_base_model(server: HubServer, admin: User) -> None:
    (server.folder / "extra.bin").write_bytes(b"of no use")
    job = got(admin)
    assert job.state == "succeeded", job.error_message
    model = TrainedModel.objects.get(pk=job.result["model"])
    assert (model.name, model.tier, model.is_base, model.job) == ("Tiny-1M", "fluent", False, job)
    assert model.training["source"] == {"repository": REPOSITORY, "commit": COMMIT}
    assert model.training["licence"] == "apache-2.0"
    assert loading.load(model).weights and folders() == [model.network["pretrained"]]
    # Its files were needed only until then.
    assert not work_dir(job).exists()
    assert not any("extra" in one.path for one in server.requests)
    assert {one.headers["user-agent"] for one in server.requests} == {hub._USER_AGENT}
    assert all("authorization" not in one.headers and "cookie" not in one.headers for one in server.requests)


def test_nothing_is_asked_before_an_administrator_asks(server: HubServer, admin: User) -> None:
    desk = signed_in(admin)
    for path in (PAGE, "/admin/base-models/", "/api/v1/models/bases/suggested"):
        assert desk.get(path).status_code == 200
    services.get(by=admin, repository=REPOSITORY)
    assert server.requests == []


def test_the_page_shows_what_a_model_costs_before_it_is_downloaded(server: HubServer, admin: User) -> None:
    desk = signed_in(admin)
    page = desk.get(PAGE).content.decode()
    for model in SUGGESTED:
        assert model.repository in page and model.commit[:12] in page
    assert "Time for a bot of 3,200 posts" in page and "690.2" in page
    found = desk.get(PAGE, {"repository": f"{server.url}/{REPOSITORY}/tree/main"}).content.decode()
    assert "apache-2.0" in found and "English, German" in found and COMMIT[:12] in found and "(suggested)" not in found
    assert server.asked("/cdn/") == []
    answer = desk.post(PAGE, {"repository": REPOSITORY, "revision": COMMIT})
    job = Job.objects.get(kind=services.GET_BASE)
    assert answer.status_code == 302 and answer["Location"] == job.get_absolute_url()
    assert again(job).state == "succeeded"
    done = desk.get(job.get_absolute_url()).content.decode()
    assert "Tiny-1M was added." in done and 'href="/admin/base-models/"' in done


def test_a_tested_model_is_pinned_by_commit_and_sha256(
    server: HubServer, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = json.loads((server.folder / "config.json").read_text())
    known = PinnedModel(REPOSITORY, COMMIT, "ab" * 32, 1000, "apache-2.0", "English", about)
    for module in ("suggested", "facts"):
        monkeypatch.setattr(f"models_app.bases.getting.{module}.SUGGESTED", (known,))
    job = got(admin)
    assert job.arguments["revision"] == COMMIT
    assert job.state == "failed" and "other weights" in job.error_message and server.asked("/cdn/") == []


def test_a_download_that_is_cut_goes_on_where_it_stopped(server: HubServer, admin: User) -> None:
    server.cut = {WEIGHTS}
    job = got(admin)
    assert job.state == "succeeded", job.error_message
    begins = [int(asked.removeprefix("bytes=").rstrip("-") or 0) for asked in server.asked(f"/cdn/{WEIGHTS}")]
    assert len(begins) > 3 and begins == sorted(set(begins))


def test_a_server_that_cannot_begin_in_the_middle_sends_the_file_again(server: HubServer, admin: User) -> None:
    job = services.get(by=admin, repository=REPOSITORY)
    stopped_at(server, job, 0.5)
    server.ranges = False
    assert again(job).state == "succeeded"


def stopped_at(server: HubServer, job: Job, share: float) -> None:
    """Have the job's worker killed in the middle of the weights: their part is in its folder."""
    folder = work_dir(job) / "attempt-0" / runner.FILES / "Tiny-1M"
    folder.mkdir(parents=True)
    data = (server.folder / WEIGHTS).read_bytes()
    (folder / f"{WEIGHTS}{fetching.PART}").write_bytes(data[: round(len(data) * share)])


def test_a_killed_workers_download_is_continued(server: HubServer, admin: User) -> None:
    job = services.get(by=admin, repository=REPOSITORY)
    stopped_at(server, job, 0.25)
    size = (server.folder / WEIGHTS).stat().st_size
    assert again(job).state == "succeeded"
    assert server.asked(f"/cdn/{WEIGHTS}") == [f"bytes={round(size * 0.25)}-"]


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
def test_a_file_with_another_checksum_is_deleted_and_try_again_downloads_it_anew(
    server: HubServer, admin: User, name: str
) -> None:
    data = (server.folder / name).read_bytes()
    server.changed = {name: data[:-1] + bytes([data[-1] ^ 1])}
    job = got(admin)
    assert job.state == "failed" and f"{name} isn’t what" in job.error_message
    assert not any(kept.startswith(name) for kept in files_of(job))
    assert TrainedModel.objects.filter(tier=Tier.FLUENT).count() == 0 and folders() == []
    server.changed = {}
    assert again(jobs.retry(job)).state == "succeeded"


def test_a_longer_or_shorter_file_is_no_file_of_the_commit(server: HubServer, admin: User) -> None:
    data = (server.folder / WEIGHTS).read_bytes()
    server.changed = {WEIGHTS: data + b"more"}
    job = got(admin)
    assert job.state == "failed" and "isn’t what" in job.error_message
    server.changed = {WEIGHTS: data[:-9]}
    assert again(jobs.retry(job)).state == "failed" and "isn’t what" in job.error_message


@pytest.mark.parametrize("gated", ["manual", "auto"])
def test_a_gated_model_is_told_before_anything_is_downloaded(server: HubServer, admin: User, gated: str) -> None:
    server.gated = gated
    answer = signed_in(admin).get(PAGE, {"repository": REPOSITORY})
    assert answer.status_code == 400 and "manage.py add_base" in answer.content.decode()
    job = got(admin)
    assert job.state == "failed" and "accepted its terms" in job.error_message and server.asked("/cdn/") == []


def test_a_model_that_has_moved_is_got_under_its_new_name(server: HubServer, admin: User) -> None:
    server.renamed = "old/Name"
    job = got(admin, repository="old/Name")
    assert job.state == "succeeded" and job.result["repository"] == REPOSITORY


def test_what_the_hub_does_not_have_is_told(server: HubServer, admin: User) -> None:
    cases = [
        ("nobody/nothing", "main", "has no public repository nobody/nothing"),
        (REPOSITORY, "v9", "has no branch, tag or commit v9"),
        ("../../etc", "", "isn’t the name of a repository"),
        (REPOSITORY, "a b", "isn’t the name of a branch"),
    ]
    for repository, revision, sentence in cases:
        answer = signed_in(admin).get(PAGE, {"repository": repository, "revision": revision})
        assert answer.status_code == 400 and sentence in answer.content.decode()
    (server.folder / WEIGHTS).rename(server.folder / "pytorch_model.bin")
    with pytest.raises(hub.HubError, match="lacks model"):
        hub.look(REPOSITORY)


def test_a_server_that_is_no_hub_is_told(server: HubServer, admin: User) -> None:
    server.card = {"language": 7}
    with pytest.raises(hub.HubError, match="HF_ENDPOINT"):
        hub.look(REPOSITORY)
    server.card, server.sizes = {}, {WEIGHTS: -1}
    with pytest.raises(hub.HubError, match="HF_ENDPOINT"):
        hub.look(REPOSITORY)


def test_a_model_in_several_files_comes_complete(server: HubServer, admin: User) -> None:
    (server.folder / WEIGHTS).rename(server.folder / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"model.norm.weight": "model-00001-of-00001.safetensors"}}
    (server.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert got(admin).state == "succeeded"


def test_a_download_without_enough_disk_space_does_not_begin(server: HubServer, admin: User) -> None:
    server.sizes = {WEIGHTS: 9 * 10**12}
    page = signed_in(admin).get(PAGE, {"repository": REPOSITORY}).content.decode()
    assert "9000 GB of disk space" in page and 'value="Download"' not in page
    job = got(admin)
    assert job.state == "failed" and "GB are free" in job.error_message and server.asked("/cdn/") == []
    server.sizes = {}
    assert again(jobs.retry(job)).state == "succeeded"


def test_a_disk_that_fills_up_pauses_the_download_and_loses_nothing(server: HubServer, admin: User) -> None:
    job = services.get(by=admin, repository=REPOSITORY)
    folder = work_dir(job) / "attempt-0" / runner.FILES / "Tiny-1M"
    folder.mkdir(parents=True)
    # Each write to it fails as on a full disk.
    (folder / f"{WEIGHTS}{fetching.PART}").symlink_to("/dev/full")
    again(job)
    assert job.state == "queued" and job.progress["cause"] == "disk" and "Free some space" in job.progress["message"]
    assert "tokenizer.json" in files_of(job)
    next(work_dir(job).rglob(f"*{fetching.PART}")).unlink()
    assert again(job).state == "succeeded"
    assert len(server.asked(f"/{REPOSITORY}/resolve/{COMMIT}/tokenizer.json")) == 1


def test_a_hub_that_is_away_is_tried_again_until_it_fails(server: HubServer, admin: User) -> None:
    server.status = 503
    job = got(admin)
    assert job.state == "queued" and "status 503" in job.progress["message"] and job.available_at > timezone.now()
    for _attempt in range(runner.ATTEMPTS - 1):
        again(job)
    assert job.state == "failed" and job.error_code == "hub_unavailable"
    answer = signed_in(admin).get(PAGE, {"repository": REPOSITORY})
    assert answer.status_code == 503 and "status 503" in answer.content.decode()
    server.status = 200
    assert again(jobs.retry(job)).state == "succeeded"


def test_a_redirect_into_a_private_network_is_not_followed(server: HubServer, admin: User) -> None:
    with HubServer(server.folder) as other:
        server.renamed, server.elsewhere = "old/Name", other.url
        with pytest.raises(hub.HubError, match="over HTTPS"):
            hub.look("old/Name")
        assert other.requests == []


def test_a_cancel_ends_the_download_within_seconds_and_continue_goes_on(server: HubServer, admin: User) -> None:
    server.pause = 1.0
    job = services.get(by=admin, repository=REPOSITORY)
    thread = threading.Thread(target=worker.run_next, args=("default",))
    thread.start()
    wait_for("the weights", lambda: any(path.stat().st_size for path in work_dir(job).rglob(f"{WEIGHTS}*")))
    job.refresh_from_db()
    begun = time.monotonic()
    jobs.cancel(job)
    thread.join()
    assert time.monotonic() - begun < 5
    job.refresh_from_db()
    assert job.state == "cancelled" and f"{WEIGHTS}{fetching.PART}" in files_of(job)
    server.pause = 0.0
    before = len(server.asked("/cdn/"))
    assert again(jobs.retry(job)).state == "succeeded"
    assert server.asked("/cdn/")[before].startswith("bytes=")


def test_the_progress_says_how_much_is_here_and_about_how_long_the_rest_takes(
    server: HubServer, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_TELL", 0.0)
    monkeypatch.setattr(runner, "_SETTLED", 0.0)
    server.pause = 0.05
    told: list[dict[str, Any]] = []
    job = services.get(by=admin, repository=REPOSITORY, run_here=True)
    worker.run_claimed(job, listener=lambda kind, payload: told.append(payload))
    here = [one for one in told if one.get("phase") == "downloading"]
    fractions = [one["fraction"] for one in here]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0 and len(set(fractions)) > 5
    assert any(one.get("seconds_left", 0) > 0 for one in here) and "GB downloaded" in here[0]["message"]


def test_a_model_of_another_architecture_is_refused_before_its_download(server: HubServer, admin: User) -> None:
    tiny_llama.hugging_face(server.folder, model_type="bert")
    answer = signed_in(admin).get(PAGE, {"repository": REPOSITORY})
    assert answer.status_code == 400 and "bert" in answer.content.decode()
    job = got(admin)
    assert job.state == "failed" and "bert" in job.error_message and server.asked("/cdn/") == []


def test_a_model_that_cannot_be_used_leaves_nothing(server: HubServer, admin: User) -> None:
    tiny_llama.hugging_face(server.folder, intermediate_size=48)
    job = got(admin)
    assert job.state == "failed" and "Files of two models" in job.error_message, job.error_message
    assert not any("safetensors" in name for name in files_of(job)) and folders() == []


def test_the_same_model_is_not_got_twice(server: HubServer, admin: User) -> None:
    job = services.get(by=admin, repository=REPOSITORY)
    with pytest.raises(services.AlreadyComing, match="already being downloaded"):
        services.get(by=admin, repository=f" {REPOSITORY} ")
    assert again(job).state == "succeeded"
    second = got(admin)
    assert second.state == "failed" and "already added as Tiny-1M" in second.error_message


def test_a_model_larger_than_the_memory_is_refused(
    server: HubServer, admin: User, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLUENT = "auto"
    monkeypatch.setattr("models_app.training.tiers.training_memory", lambda machines=None: 2 * 10**9)
    page = signed_in(admin).get(PAGE).content.decode()
    assert page.count("This machine has 2 GB of memory") == len(SUGGESTED)
    job = got(admin)
    assert job.state == "failed" and "2 GB of memory" in job.error_message and server.asked("/cdn/") == []


def test_only_administrators_get_models(server: HubServer, admin: User, alice: User) -> None:
    assert signed_in(alice).get(PAGE).status_code == 403
    alice.is_staff = True
    alice.save()
    assert signed_in(alice).get(PAGE).status_code == 403
    assert signed_in(alice).post(PAGE, {"repository": REPOSITORY}).status_code == 403
    with pytest.raises(bases.BaseError, match="Only an administrator"):
        services.get(by=alice, repository=REPOSITORY)
    job = services.get(by=admin, repository=REPOSITORY)
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert again(job).error_code == "not_allowed" and server.requests == []


def test_programs_of_administrators_get_models(server: HubServer, admin: User, alice: User) -> None:
    client = signed_in(admin)
    listed = client.get("/api/v1/models/bases/suggested").json()["data"]
    assert [row["repository"] for row in listed] == [model.repository for model in SUGGESTED]
    look = client.get("/api/v1/models/bases/hub", {"repository": REPOSITORY})
    assert look.status_code == 200, look.content
    told = look.json()
    said = (told["licence"], told["revision"], told["is_suggested"], told["why_not"])
    assert said == ("apache-2.0", COMMIT, False, "")
    assert told["parameters"] > 0 and told["seconds"] > 0 and told["memory_to_train"] > 0
    body = {"repository": REPOSITORY, "revision": COMMIT, "name": "Mine"}
    made = client.post("/api/v1/models/bases", body, content_type="application/json")
    assert made.status_code == 202, made.content
    assert again(Job.objects.get(pk=made.json()["id"])).result["name"] == "Mine"
    wrong = client.post("/api/v1/models/bases", {"repository": "a b"}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "bad_value")
    server.status = 500
    assert client.get("/api/v1/models/bases/hub", {"repository": REPOSITORY}).status_code == 503
    stranger = signed_in(alice)
    assert stranger.get("/api/v1/models/bases/suggested").status_code == 403
    assert stranger.get("/api/v1/models/bases/hub", {"repository": REPOSITORY}).status_code == 403
    assert stranger.post("/api/v1/models/bases", body, content_type="application/json").status_code == 403


def get_base(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("get_base", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_terminal_lists_gets_and_promotes(server: HubServer, admin: User) -> None:
    listed, _ = get_base()
    assert all(model.repository in listed for model in SUGGESTED) and server.requests == []
    said, told = get_base(REPOSITORY, "--promote")
    assert "Licence: apache-2.0" in told and "Tiny-1M is here" in said
    assert versions.base_model(Tier.FLUENT).name == "Tiny-1M"
    with pytest.raises(CommandError, match="already added as Tiny-1M"):
        get_base(REPOSITORY)
    with pytest.raises(CommandError, match="has no public repository"):
        get_base("nobody/nothing")


def test_the_terminal_continues_a_download_that_was_interrupted(server: HubServer, admin: User) -> None:
    server.changed = {WEIGHTS: b"wrong" * 9}
    with pytest.raises(CommandError, match="isn’t what"):
        get_base(REPOSITORY)
    server.changed = {}
    told = json.loads(get_base(REPOSITORY, "--json")[0])
    assert told["name"] == "Tiny-1M" and told["commit"] == COMMIT
    assert len(server.asked(f"/{REPOSITORY}/resolve/{COMMIT}/tokenizer.json")) == 1
    assert Path(site.CHECKPOINTS_DIR, "pretrained").is_dir()


def test_one_button_adapts_a_model_on_the_newest_prepared_corpus(
    server: HubServer, admin: User, alice: User, settings: LazySettings, tmp_path: Path
) -> None:
    settings.TRAINING_DIR = tmp_path / "training"
    model = TrainedModel.objects.get(pk=got(admin).result["model"])
    desk = signed_in(admin)
    button = f'href="/admin/base-models/train?adapt={model.pk}"'
    page = desk.get("/admin/base-models/").content.decode()
    assert button in page and "not adapted to posts: bots learn from it as it is" in page
    empty = desk.get("/admin/base-models/train", {"adapt": str(model.pk)}).context["form"]
    assert empty["start"].value() == str(model.pk) and not empty["learn_from"].value()
    for age, name in enumerate(("newer", "older")):
        for part in ("train", "validation"):
            path = tmp_path / "training" / name / f"{part}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("A post.\n" * 20)
            os.utime(path, (10**9 - age, 10**9 - age))
    form = desk.get("/admin/base-models/train", {"adapt": str(model.pk)}).context["form"]
    sent = {field.name: field.value() for field in form if field.value() not in (None, "")}
    answer = desk.post("/admin/base-models/train", sent)
    assert answer.status_code == 302, answer.content
    asked = Job.objects.get(kind=bases.TRAIN_BASE).arguments
    assert (asked["start"], asked["files"], asked["validation"], asked["budget"], asked["name"]) == (
        str(model.pk),
        ["newer/train.txt"],
        "newer/validation.txt",
        {"minutes": bases.ADAPTING_MINUTES},
        "Tiny-1M adapted",
    )
    # Until then, the page for a new bot says that it learns from the model as it is.
    bases.promote(model, by=admin)
    posts = f"/corpora/{import_posts(alice).pk}/"
    assert "It hasn’t learned any posts yet" in signed_in(alice).get(posts).content.decode()
    TrainedModel.objects.filter(pk=model.pk).update(training={"minutes": 90.0})
    assert "It hasn’t learned any posts yet" not in signed_in(alice).get(posts).content.decode()
    assert button not in desk.get("/admin/base-models/").content.decode()
    assert desk.get("/admin/base-models/train", {"adapt": "x"}).status_code == 200
