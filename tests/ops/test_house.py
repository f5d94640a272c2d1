"""The status page of the administration."""

from __future__ import annotations

import os
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import worker
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.models import Job
from botfactory.ops import machine, workers
from tests.conftest import signed_in
from tests.jobs.test_services import submit
from tests.ops.helpers import NOWHERE, real_worker

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/house/"


def fail(handle: Any) -> dict[str, Any]:
    raise JobFailed("broken", "It <broke>.")


def test_it_is_for_administrators(charlie: Client, alice: User, bob: User, admin: User) -> None:
    assert charlie.get(PAGE).status_code == 302
    assert signed_in(alice).get(PAGE).status_code == 403
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    assert signed_in(bob).get(PAGE).status_code == 403
    assert "System status" not in signed_in(bob).get("/admin/").content.decode()
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "view_user"]))
    assert signed_in(bob).get(PAGE).status_code == 200
    assert signed_in(admin).get(PAGE).status_code == 200
    assert signed_in(admin).post(PAGE).status_code == 405
    assert f'href="{PAGE}"' in signed_in(admin).get("/admin/").content.decode()


def test_it_shows_queues_failures_and_people_with_links(alice: User, admin: User) -> None:
    failed, old, waiting = submit(alice, fail), submit(alice, fail), submit(alice)
    for job in (failed, old):
        Job.objects.filter(pk=job.pk).update(kind="failing")
        submit_kind("failing")
        worker.run(job.pk)
    Job.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=2))
    page = signed_in(admin).get(PAGE).content.decode()
    assert f"/admin/jobs/job/{failed.pk}/change/" in page and f"/admin/jobs/job/{old.pk}/change/" not in page
    assert "Failed in the last day (1)" in page
    assert "It &lt;broke&gt;." in page
    assert re.search(r"queue=default\">default</a></th>\s*<td>1</td>\s*<td>0</td>", page), page
    assert "2 accounts" in page
    assert "No worker listens to the queue default" in page
    assert waiting.state == "queued"
    # Things that the policy of the pages forbids would be missing without an error.
    ours = page[page.index('id="content-main"') : page.index('id="footer"')]
    assert "<script" not in ours and "style=" not in ours and "onclick" not in ours
    # The links lead to what they say.
    assert failed.title in signed_in(admin).get("/admin/jobs/job/?queue=default").content.decode()


def submit_kind(name: str) -> None:
    from tests.jobs.kinds import kind

    kind(name, fail)


def test_without_the_broker_the_page_still_comes(admin: User, settings: Any) -> None:
    settings.REDIS_URL = NOWHERE
    page = signed_in(admin).get(PAGE).content.decode()
    assert "Not answering: broker, channel layer" in page and "reached without the broker" in page


def test_gpus_are_shown_where_nvidia_smi_tells(admin: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 1234, 81559'\necho 'NVIDIA GB10, [N/A], [N/A]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine.gpus() == [machine.Gpu("NVIDIA H100 80GB HBM3", 1234, 81559)]
    assert "NVIDIA H100 80GB HBM3: 1,234 of 81,559 MiB in use" in signed_in(admin).get(PAGE).content.decode()
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machine.gpus() == []


def test_a_worker_tells_of_the_gpus_that_it_sees(admin: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu = tmp_path / "bin"
    with_gpu.mkdir()
    program = with_gpu / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 4321, 81559'\n")
    program.chmod(0o755)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{with_gpu}{os.pathsep}{path}")
    with real_worker("train") as name:
        # The machine that serves the pages has none.
        monkeypatch.setenv("PATH", path)
        (told,) = [told for told in workers.alive() if told.name == name]
        assert told.gpus == [machine.Gpu("NVIDIA H100 80GB HBM3", 4321, 81559)]
        page = signed_in(admin).get(PAGE).content.decode()
        assert "GPU memory" in page and "NVIDIA H100 80GB HBM3: 4,321 of 81,559 MiB" in page
        assert "GPUs of this machine" not in page
        # No worker is missing, so nothing waits.
        monkeypatch.setattr(workers, "QUICK_SECONDS", 2.0)
        monkeypatch.setattr(workers, "ANSWER_SECONDS", 60.0)
        monkeypatch.setattr(workers, "needed", lambda: ["train"])
        begun = time.monotonic()
        assert [told.name for told in workers.alive()] == [name]
        assert time.monotonic() - begun < 40
        # Workers aren't asked twice within a moment.
        monkeypatch.setattr(workers, "FRESH_SECONDS", 60.0)
        monkeypatch.setattr(workers, "_ask", None)
        assert [told.name for told in workers.alive()] == [name]


def test_the_first_page_of_the_administration_brings_it_along(admin: User, bob: User) -> None:
    page = signed_in(admin).get("/admin/").content.decode()
    assert f'hx-get="{PAGE}" hx-trigger="load"' in page and 'href="/admin/base-models/"' in page
    part = signed_in(admin).get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part and 'id="house-workers"' in part
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    page = signed_in(bob).get("/admin/").content.decode()
    assert "hx-get" not in page and "base-models" not in page


def test_what_a_folder_holds_is_counted(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "one").write_bytes(b"x" * 10)
    (tmp_path / "below" / "two").write_bytes(b"x" * 5)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert machine.size_of(tmp_path) == 15
    assert machine.size_of(tmp_path / "nothing") == 0
