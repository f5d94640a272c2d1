"""An importer that was presumed dead writes nothing when it returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from botfactory.accounts.models import User
from botfactory.jobs.models import Job, JobEvent
from tests.fakes.posts import make_posts
from tests.lost_claims import files_under, overtaken, rows_of
from tweets.corpora import services
from tweets.models import Corpus, Post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


#: The second write of an import is its first page.
PAGE = "botfactory.jobs.handle.JobHandle.fenced#2"


@pytest.mark.parametrize("target", [PAGE, "tweets.corpora.report.Tally.as_json", "botfactory.jobs.worker.end"])
def test_an_importer_that_was_overtaken_writes_nothing(alice: User, settings: Any, target: str) -> None:
    job = services.import_text(owner=alice, text="\n".join(make_posts(50)))
    with overtaken(job, target, settings):
        corpus = Corpus.objects.get(pk=job.arguments["corpus"])
        assert (corpus.state, corpus.posts_found, corpus.posts.count()) == ("ready", 50, 50)
        # What a person did with it since then must not be undone.
        Corpus.objects.filter(pk=corpus.pk).update(name="Mine", posts_kept=7, cursor="later")
        homes = (Path(django_settings.UPLOADS_DIR), Path(django_settings.JOBS_DIR))
        before = rows_of(Job, JobEvent, Corpus, Post), files_under(*homes)
    assert (rows_of(Job, JobEvent, Corpus, Post), files_under(*homes)) == before


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="on SQLite a process that is stopped there holds the file"
)
def test_an_importer_that_stops_in_the_middle_of_a_page_holds_nobody_up(alice: User, settings: Any) -> None:
    job = services.import_text(owner=alice, text="\n".join(make_posts(50)))
    with overtaken(job, "tweets.corpora.services.add_page", settings):
        before = rows_of(Job, JobEvent, Corpus, Post)
    assert rows_of(Job, JobEvent, Corpus, Post) == before
