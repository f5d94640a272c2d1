"""Links in the docs lead somewhere, and the commands and tests that they name exist."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands

from botfactory.jobs.api import EventOut, JobOut
from botfactory.jobs.events import EventJson, JobJson, Message
from tweets.sources.kinds import SourceKind
from tweets.sources.registry import kinds

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_anchor_is_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    missing = [(name, anchor) for name, anchor in links if anchor not in anchors_of(page.parent / (name or page.name))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_is_wrapped(page: Path) -> None:
    prose = re.sub(r"^( *)```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    long = [line for line in prose.splitlines() if len(line) > 120 and not line.startswith(("|", "!", "[!"))]
    assert long == []


def test_the_message_of_a_socket_has_the_keys_of_the_example() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("\n#### The pages' websocket\n")[2]
    message = json.loads(text.partition("```json\n")[2].partition("```")[0])
    for shown, kind in ((message, Message), (message["job"], JobJson), (message["events"][0], EventJson)):
        assert set(shown) == set(kind.__annotations__)
    # The text names what differs from the operations.
    differing = {*(JobOut.model_fields.keys() ^ message["job"]), *(EventOut.model_fields.keys() ^ message["events"][0])}
    assert differing == {"corpus", "details", "best_checkpoint", "estimated_finish", "at", "created_at"}
    assert [name for name in differing if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_exists(page: Path) -> None:
    commands = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text(encoding="utf-8")))
    assert commands <= set(get_commands())


def missing_tests(text: str) -> list[str]:
    """Return the test files, and the tests as `file::name`, that the text names but that don't exist.

    `::test_name` alone is a test of the file named before it. `test_NAME.py` is a placeholder.
    """
    missing, file = [], ""
    for path, name in re.findall(r"(?<![\w/])(tests/[\w/]*\w\.py)|::(test_\w+)", text):
        if path:
            file = path
            if not path.endswith("/test_NAME.py") and not (ROOT / path).is_file():
                missing.append(path)
        elif file not in missing:
            code = (ROOT / file).read_text(encoding="utf-8") if file else ""
            if not re.search(rf"^ *(?:async )?def {name}\(", code, re.MULTILINE):
                missing.append(f"{file}::{name}")
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_test_exists(page: Path) -> None:
    assert missing_tests(page.read_text(encoding="utf-8")) == []


def test_a_test_that_is_missing_is_found() -> None:
    here = "tests/contracts/test_docs.py"
    text = f"`{here}::test_each_test_exists`, `::test_gone`, `tests/test_none.py::test_it`, `{here}::test_lost`"
    assert missing_tests(text) == [f"{here}::test_gone", "tests/test_none.py", f"{here}::test_lost"]


def test_every_command_of_ours_is_documented() -> None:
    text = (ROOT / "docs" / "administration.md").read_text(encoding="utf-8")
    # makemessages and migrate are Django's own with options and a check of ours.
    apps = {"botfactory.ops", "tweets", "models_app", "publishing"}
    ours = {name for name, app in get_commands().items() if app in apps} - {"makemessages", "migrate"}
    assert ours == {
        "run",
        "doctor",
        "import_posts",
        "prepare_corpus",
        "fine_tune",
        "export_bot",
        "generate",
        "evaluate",
        "train_base",
        "search",
        "add_base",
        "get_base",
        "token",
        "invite",
        "reset_link",
        "two_factor_off",
        "web",
        "writer",
        "scheduler",
    }
    assert all(re.search(rf"^\| [^|]*`{name}[ `]", text, re.MULTILINE) for name in ours)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_each_source_of_posts_has_a_section_in_the_docs(kind: SourceKind) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "posts.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [heading for heading in headings if re.search(rf"\b{kind.label}\b", heading, re.IGNORECASE)]


@pytest.mark.django_db
def test_the_migrations_are_those_of_the_models() -> None:
    said = io.StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=said)
    assert said.getvalue() == "No changes detected\n"
