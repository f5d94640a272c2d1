"""The examples of docs/api.md with curl and Python, taken from the page and run unchanged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fakes.posts import make_posts
from tests.product import ROOT, Product, running

WALK = (
    (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("## A complete example\n")[2].partition("\n## ")[0]
)
CODE: dict[str, str] = dict(re.findall(r"^```(\w+)\n(.*?)^```$", WALK, re.MULTILINE | re.DOTALL))
POSTS = 300

# tests/rest asks Postgres for all of it, too.


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("product"), TRAINER_BUILDS_AHEAD="1") as product:
        yield product


@pytest.fixture(scope="module")
def token(product: Product) -> str:
    """Create it without a browser, as the page says."""
    made = product.manage("token", "The walk")
    assert re.fullmatch(r"bf_\w+\n", made.stdout), made
    return made.stdout.strip()


def walk(kind: str, product: Product, folder: Path, token: str) -> subprocess.CompletedProcess[str]:
    command = {"sh": ["bash", "-c"], "python": [sys.executable, "-c"]}[kind]
    (folder / "posts.txt").write_text("\n".join(make_posts(POSTS, seed=31)) + "\n", encoding="utf-8")
    environment = {**os.environ, "BOTFACTORY_URL": product.url, "BOTFACTORY_TOKEN": token}
    return subprocess.run(
        [*command, CODE[kind]], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )


def require_tools(kind: str) -> None:
    missing = [tool for tool in ("bash", "curl", "jq") if kind == "sh" and shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")


@pytest.mark.parametrize("kind", ["sh", "python"])
def test_the_main_job_is_done_as_the_page_says(kind: str, product: Product, tmp_path: Path, token: str) -> None:
    require_tools(kind)
    done = walk(kind, product, tmp_path, token)
    assert done.returncode == 0, done.stdout + done.stderr
    # Both jobs were watched from beginning to end, with each epoch's losses.
    assert done.stdout.count('"validation_loss"') == 2 and done.stdout.count('"state":"succeeded"') >= 2
    api = httpx.Client(base_url=f"{product.url}/api/v1", headers={"Authorization": f"Bearer {token}"})
    written = api.get("/generations").json()["data"][0]
    assert len(written["posts"]) + written["missing"] == 5 and written["settings"]["temperature"] == 0.8
    assert done.stdout.endswith("\n".join([written["label"], *written["posts"]]) + "\n")
    model = api.get(f"/models/{written['model']}").json()
    assert (model["name"], len(model["history"])) == ("My bot", 2)
    assert api.get(f"/corpora/{model['corpus']}").json()["posts_found"] == POSTS
    # Running the page twice gives two models with the same name. A person would choose another.
    assert api.delete(f"/models/{written['model']}").status_code == 204


@pytest.mark.parametrize("kind", ["sh", "python"])
def test_what_goes_wrong_is_told_and_ends_it(kind: str, product: Product, tmp_path: Path) -> None:
    require_tools(kind)
    done = walk(kind, product, tmp_path, "bf_nonsense")
    assert done.returncode != 0 and "bad_token" in done.stdout + done.stderr, done
