"""docs/tutorial.md from end to end, by its own commands, on small files and networks."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from tests.fakes.posts import make_posts
from tests.models_app.test_commands import output

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(settings.BASE_DIR, "docs", "tutorial.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\.venv/bin/python manage\.py (.+)$", PAGE, re.MULTILINE)
#: What makes hours seconds.
SMALL = {
    "--minutes 120": "--megabytes 0.01 --set batch_size=8",
    "--network lstm": """--network '{"kind": "lstm", "embedding": 4, "units": 8}'""",
    "--network glr": """--network '{"kind": "glr", "embedding": 4, "units": 8, "layers": 2}'""",
}


def test_every_command_works_and_leads_to_the_next(
    base: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    posts = make_posts(600, seed=12)
    rows = ["user_id\ttext", *(f"{number % 30}\t{post}" for number, post in enumerate(posts))]
    Path("tweets.tsv").write_text("\n".join(rows), encoding="utf-8")
    Path("posts.txt").write_text("\n".join(make_posts(200, seed=5)), encoding="utf-8")
    said = []
    for line in COMMANDS:
        for large, small in SMALL.items():
            line = line.replace(large, small)
        said.append(output(*shlex.split(line)))
    assert len(COMMANDS) == 7
    report = json.loads(Path("corpus", "report.json").read_text(encoding="utf-8"))
    assert report["found"] == 600
    assert all("bits per character" in outcome for outcome in said[1:5])
    bot = TrainedModel.objects.get(name="Me")
    assert bot.owner == User.objects.get(username="local") and bot.tier == "quick"
    assert len(said[-1].strip().splitlines()) >= 1
