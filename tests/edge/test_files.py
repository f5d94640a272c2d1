"""Static files are compressed, and cached for a year under names that change with them and with their imports."""

from __future__ import annotations

import gzip
import posixpath
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.templatetags.static import static
from django.test import AsyncClient, Client

from botfactory.accounts.models import User
from botfactory.edge import files
from tests.conftest import signed_in

YEAR = "public, max-age=31536000, immutable"
OURS = sorted(path.name for path in (Path(django_settings.BASE_DIR) / "static" / "js").glob("*.js"))


def body_of(answer: Any) -> str:
    packed = answer.headers.get("Content-Encoding") == "gzip"
    body: bytes = gzip.decompress(answer.content) if packed else answer.content
    return body.decode()


def get(path: str, **headers: str) -> Any:
    return Client().get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("name", ["css/app.css", "js/app.js", "vendor/uplot/uPlot.iife.min.js", "img/logo.svg"])
def test_a_file_is_kept_for_a_year_under_the_name_that_pages_use(name: str) -> None:
    address = static(name)
    assert re.fullmatch(rf"/static/{posixpath.splitext(name)[0]}\.[0-9a-f]{{12}}\.\w+", address)
    answer = get(address, Accept_Encoding="gzip, deflate, br")
    assert (answer.status_code, answer["Cache-Control"], answer["Vary"]) == (200, YEAR, "Accept-Encoding")
    assert answer["Content-Encoding"] == "gzip" and int(answer["Content-Length"]) == len(answer.content)
    whole = get(address)
    assert "Content-Encoding" not in whole.headers and body_of(answer) == body_of(whole)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert get(address, If_None_Match=answer["ETag"]).status_code == 304


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_it_is_packed_for_who_can_unpack_it(accepted: str, packed: bool) -> None:
    answer = get(static("css/app.css"), Accept_Encoding=accepted)
    assert ("Content-Encoding" in answer.headers) is packed


@pytest.mark.parametrize("module", OURS)
def test_what_a_module_imports_is_kept_for_a_year_too(module: str) -> None:
    source = (Path(django_settings.BASE_DIR) / "static" / "js" / module).read_text(encoding="utf-8")
    address = static(f"js/{module}")
    imported = re.findall(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""", body_of(get(address)))
    assert len(imported) == len(re.findall(r"""^import .*["']\.""", source, re.MULTILINE))
    answers = [get(posixpath.normpath(posixpath.join(posixpath.dirname(address), name))) for name in imported]
    assert [(answer.status_code, answer["Cache-Control"]) for answer in answers] == [(200, YEAR)] * len(answers)


def test_a_name_changes_with_what_the_file_imports(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "img").mkdir()
    importing = 'import { b } from "./b.js";import("../js/c.js");import x from "./not-there.js";'
    (tmp_path / "js/a.js").write_text(importing)
    (tmp_path / "js/b.js").write_text('export * from "./c.js";\n')
    (tmp_path / "js/c.js").write_text("export const c = 1;\n")
    (tmp_path / "img/dot.svg").write_text("<svg/>")
    (tmp_path / "a.css").write_text('a{b:url("img/dot.svg#x") url(data:x) url(/img/dot.svg)}@import "other.css";')
    settings.STATICFILES_DIRS = [tmp_path]
    first = remade()
    (tmp_path / "js/c.js").write_text("export const c = 2;\n")
    second = remade()
    assert {name for name in first if first[name][0] != second[name][0]} == {"js/a.js", "js/b.js", "js/c.js"}
    (b, c) = (posixpath.basename(second[f"js/{name}.js"][0]) for name in "bc")
    expected = f'import {{ b }} from "./{b}";import("../js/{c}");import x from "./not-there.js";'
    assert second["js/a.js"][1] == expected
    dot = second["img/dot.svg"][0]
    assert second["a.css"][1] == f'a{{b:url("{dot}#x") url(data:x) url(/img/dot.svg)}}@import "other.css";'


def test_comments_of_style_sheets_are_left_out_unless_they_name_a_licence(settings: Any, tmp_path: Path) -> None:
    written = """/*! MIT */ /* It's
 "long" */
a{content:"/* a text */"} /* one *//* two */ b/**/c{} d{x:url(/*y*/)} /* last */"""
    (tmp_path / "a.css").write_text(written)
    settings.STATICFILES_DIRS = [tmp_path]
    left = """/*! MIT */ \na{content:"/* a text */"} /* one *//* two */ b/**/c{} d{x:url(/*y*/)} """
    assert remade()["a.css"][1] == left


def test_a_style_sheet_comes_with_those_that_it_imports(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "css/base").mkdir(parents=True)
    (tmp_path / "img").mkdir()
    (tmp_path / "img/dot.svg").write_text("<svg/>")
    (tmp_path / "css/a.css").write_text('/* all */\n@import "base/b.css";\n@import "c.css";\n@import "no.css";\na{}\n')
    (tmp_path / "css/base/b.css").write_text("b{x:url(../../img/dot.svg) url(data:x) url(/img/dot.svg)}\n")
    (tmp_path / "css/c.css").write_text('c{}\n@import "a.css";\n')
    settings.STATICFILES_DIRS = [tmp_path]
    first = remade()
    dot = posixpath.basename(first["img/dot.svg"][0])
    b = f"b{{x:url(base/../../img/{dot}) url(data:x) url(/img/dot.svg)}}\n"
    assert first["css/a.css"][1] == f'\n{b}\nc{{}}\n@import "a.css";\n\n@import "no.css";\na{{}}\n'
    (tmp_path / "css/base/b.css").write_text("b{}\n")
    assert remade()["css/a.css"][0] != first["css/a.css"][0]


def test_every_style_sheet_of_ours_is_part_of_a_page() -> None:
    folder = Path(django_settings.BASE_DIR) / "static" / "css"
    imported = {
        name: set(re.findall(r'^@import "(.+)";$', (folder / name).read_text(), re.MULTILINE))
        for name in ("app.css", "admin.css")
    }
    parts = {str(path.relative_to(folder)) for path in folder.glob("*/*.css")}
    administration = {part for part in parts if part.startswith("admin/")}
    assert imported["app.css"] == parts - administration and len(imported["app.css"]) > 10
    assert administration and administration < imported["admin.css"] < parts
    assert "@import" not in files.static_file("css/app.css").body.decode()


def test_files_that_import_each_other_are_served_all_the_same(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import "./b.js";')
    (tmp_path / "b.js").write_text('import "./a.js";')
    settings.STATICFILES_DIRS = [tmp_path]
    made = remade()
    assert made["a.js"][1].startswith('import "./b.') and made["b.js"][1].startswith('import "./a.')


def look_anew() -> None:
    finders.get_finder.cache_clear()  # type: ignore[attr-defined]
    files.paths.cache_clear()
    files.static_file.cache_clear()


def remade() -> dict[str, tuple[str, str]]:
    """Return name -> hashed name and content for the folder in the settings, as in a new process."""
    look_anew()
    try:
        return {
            name: (files.hashed_name(name), files.static_file(name).body.decode())
            for name, path in files.paths().items()
            if "site-packages" not in str(path)
        }
    finally:
        look_anew()


def test_a_plain_name_is_kept_for_minutes_and_one_of_another_version_not_at_all() -> None:
    assert get("/static/js/app.js")["Cache-Control"] == "public, max-age=300"
    old = get("/static/js/app.0123456789ab.js")
    assert (old.status_code, old["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "path",
    ["no.js", "js/no.0123456789ab.js", "", "js", "js/", "../manage.py", "js/../../manage.py", "./js/app.js", "%00"],
)
def test_what_is_not_there_is_not_found(db: None, path: str) -> None:
    assert get(f"/static/{path}").status_code == 404
    assert Client().post("/static/js/app.js").status_code in {403, 404}


async def test_it_is_the_same_under_asgi() -> None:
    answer = await AsyncClient().get(static("js/app.js"), headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer["Cache-Control"], answer["Content-Encoding"]) == (200, YEAR, "gzip")


def test_who_works_on_the_pages_sees_each_change_at_once(settings: Any, tmp_path: Path) -> None:
    settings.STATICFILES_DIRS, settings.DEBUG = [tmp_path], True
    look_anew()
    try:
        for text in ("first", "second"):
            (tmp_path / "new.js").write_text(text)
            answer = get("/static/new.js")
            assert (body_of(answer), answer["Cache-Control"]) == (text, "no-cache")
        assert static("new.js") == "/static/new.js"
        assert get("/static/../manage.py").status_code == 404
    finally:
        look_anew()


def test_every_file_that_a_template_names_is_there() -> None:
    templates = (Path(django_settings.BASE_DIR) / "templates").rglob("*.html")
    named = {name for path in templates for name in re.findall(r"{% static '([^']+)' %}", path.read_text())}
    assert len(named) > 20 and named <= set(files.paths())


def test_pages_and_the_administration_ask_for_nothing_that_is_not_kept(admin: User) -> None:
    client = signed_in(admin)
    pages = [client.get(path).content.decode() for path in ("/", "/api/docs", "/admin/", "/admin/jobs/job/")]
    asked = {found for page in pages for found in re.findall(r'(?:src|href)="(/static/[^"]+)"', page)}
    assert len(asked) > 15
    assert {path for path in asked if get(path)["Cache-Control"] != YEAR} == set()


def test_the_training_page_sends_less_than_half_of_what_it_was() -> None:
    """217 kB of scripts and style sheets it was, 145 kB of them uPlot."""
    waiting, seen = ["js/training.js", "js/app.js"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for found in re.findall(r"""from "(\./[^"]+)"|import "(\./[^"]+)\"""", files.paths()[name].read_text()):
            target = posixpath.normpath(posixpath.join("js", "".join(found)))
            waiting += [target] if target not in seen else []
    seen |= {"css/app.css", "vendor/pico/pico.min.css", "vendor/uplot/uPlot.min.css", "vendor/uplot/uPlot.iife.min.js"}
    packed = {name: files.static_file(name).packed for name in seen}
    assert sum(len(body) for body in packed.values() if body is not None) < 100_000
    assert staticfiles_storage.url("js/training.js") == static("js/training.js")
