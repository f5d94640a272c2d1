"""Links in the docs lead somewhere, and commands in the docs work."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands

from tweets.sources.kinds import SourceKind
from tweets.sources.registry import kinds

ROOT = Path(settings.BASE_DIR)
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_exists(page: Path) -> None:
    commands = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text(encoding="utf-8")))
    assert commands <= set(get_commands())


def test_every_command_of_ours_is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    # makemessages is Django's own with options of ours (docs/development.md).
    apps = {"botfactory.ops", "tweets", "models_app"}
    ours = {name for name, app in get_commands().items() if app in apps} - {"makemessages"}
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
        "token",
        "invite",
        "reset_link",
        "two_factor_off",
        "writer",
    }
    assert all(f"| `{name} " in text for name in ours)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_each_source_of_posts_has_a_section_in_the_docs(kind: SourceKind) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "sources.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [heading for heading in headings if re.search(rf"\b{kind.label}\b", heading, re.IGNORECASE)]


@pytest.mark.django_db
def test_the_migrations_are_those_of_the_models() -> None:
    said = io.StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=said)
    assert said.getvalue() == "No changes detected\n"
