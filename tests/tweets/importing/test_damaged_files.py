"""Damaged files uploaded on the page give a complete corpus or a clear error, never a server error.

The files are those of `python -m benchmarks.fuzz_files`. FUZZ_IMPORTS sets how many are uploaded.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from benchmarks.damaged_files import damaged_file
from benchmarks.fuzz_files import outcome_of
from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.tweets.helpers import run

pytestmark = pytest.mark.django_db(transaction=True)
IMPORTS = int(os.environ.get("FUZZ_IMPORTS", "60"))


def test_no_damaged_file_breaks_a_page_or_a_worker_or_leaves_half_a_corpus(
    client: Client, alice: User, tmp_path: Path
) -> None:
    client.force_login(alice)
    ends: Counter[str] = Counter()
    wrong: list[tuple[int, str]] = []
    for number in range(IMPORTS):
        damaged = damaged_file(number, seed=3)
        file = io.BytesIO(damaged.data)
        file.name = damaged.name
        answer = client.post(reverse("new_corpus"), {"way": "file", "basis": "own", "file": file})
        if answer.status_code == 400:  # empty, or of a name that no system takes
            ends["refused"] += 1
            continue
        assert answer.status_code == 302, number
        job, corpus = run(Job.objects.latest("created_at"))
        ends[job.state] += 1
        if job.state == State.SUCCEEDED:
            is_whole = corpus.is_ready and corpus.posts_found == corpus.posts.count() > 0
            is_right = is_whole and not corpus.posts.filter(cleaned="", dropped="").exists()
        else:
            is_told = job.state == State.FAILED and job.error_code != "internal_error"
            # The limits of the product are higher than those of the fuzz run. The files are the same.
            is_right = (
                is_told
                and job.error_message.endswith(".")
                and not corpus.is_ready
                and outcome_of(damaged, tmp_path) != "posts"
            )
        wrong += [] if is_right else [(number, job.error_message)]
    assert wrong == []
    assert ends[State.SUCCEEDED] > IMPORTS * 0.15 and ends[State.FAILED] > IMPORTS * 0.15
