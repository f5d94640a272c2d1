"""The API reference at /api/docs has everything that the OpenAPI document has, for people."""

from __future__ import annotations

import html
import json
import re
import shlex
from typing import Any

import pytest
from django.test import Client

from botfactory.accounts.models import User
from botfactory.api import api
from botfactory.rest.reference import Reference, prose, reference
from tests.conftest import signed_in
from tests.rest.helpers import V1


@pytest.fixture(scope="module")
def made() -> Reference:
    return reference(api.get_openapi_schema(), server="https://bots.example")


def test_each_operation_has_its_place_parameters_body_and_answers(made: Reference) -> None:
    paths = api.get_openapi_schema()["paths"]
    described = {operation["operationId"]: operation for path in paths.values() for operation in path.values()}
    shown = {operation.name: operation for group in made.groups for operation in group.operations}
    assert set(shown) == set(described)
    for name, operation in shown.items():
        document = described[name]
        assert [field.name for field in operation.parameters] == [field["name"] for field in document["parameters"]]
        assert {body.media_type for body in operation.bodies} == set(document.get("requestBody", {}).get("content", {}))
        assert {answer.status for answer in operation.answers + operation.errors} == set(document["responses"])
        assert operation.scope in ("read", "write", "admin")


def test_each_thing_that_is_named_is_described(made: Reference) -> None:
    operations = [operation for group in made.groups for operation in group.operations]
    fields = [field for operation in operations for field in operation.parameters]
    fields += [field for operation in operations for body in operation.bodies for field in body.fields]
    fields += [field for thing in made.things for field in thing.fields]
    shapes = [shape for operation in operations for answer in operation.answers for shape in answer.shapes]
    shapes += [shape for answer in made.errors for shape in answer.shapes]
    named = {field.thing for field in fields} | {shape.thing for shape in shapes}
    things = {thing.name: thing for thing in made.things}
    assert named - {""} == set(things) and len(things) > 20
    assert things["State"].values[:2] == ['"queued"', '"running"']


def test_the_kind_the_bounds_and_the_default_of_a_field(made: Reference) -> None:
    operations = {operation.name: operation for group in made.groups for operation in group.operations}
    limit = next(field for field in operations["list_jobs"].parameters if field.name == "limit")
    assert (limit.kind, limit.bounds, limit.default) == ("whole number", "at least 1, at most 100", "20")
    fields = {field.name: field for field in operations["create_token"].bodies[0].fields}
    assert (fields["name"].is_required, fields["name"].bounds) == (True, "at most 80 characters")
    assert fields["scopes"].kind == 'list of "read" | "write" | "admin"'
    assert fields["expires_at"].kind == "date and time or null"
    assert operations["list_jobs"].answers[0].shapes[0].kind == "page with a list of JobOut"


def test_an_example_is_a_command_with_the_body_that_the_document_names(made: Reference) -> None:
    operations = {operation.name: operation for group in made.groups for operation in group.operations}
    assert operations["get_job"].curl.split()[-1] == f"https://bots.example{V1}/jobs/JOB_ID"
    words = shlex.split(operations["create_token"].curl.replace("\\\n", " "))
    assert words[:3] == ["curl", "-X", "POST"] and words[-1] == f"https://bots.example{V1}/tokens"
    assert json.loads(words[words.index("-d") + 1])["name"] == "The script on my laptop"


def test_an_example_that_brings_a_file_stores_it(made: Reference) -> None:
    operations = {operation.name: operation for group in made.groups for operation in group.operations}
    kept = {name for name, operation in operations.items() if "-OJ" in shlex.split(operation.curl.replace("\\\n", " "))}
    assert kept == {"export_account", "download_model"}


def test_each_operation_can_be_tried_on_the_page(made: Reference) -> None:
    operations = [operation for group in made.groups for operation in group.operations]
    shapes = {one.name: one.json_body for one in operations}
    # The page writes JSON, but no form with a file.
    assert [one.name for one in operations if one.bodies and shapes[one.name] is None] == []
    assert shapes["get_job"] is None
    assert shapes["create_corpus"] is not None and shapes["create_corpus"].media_type == "application/json"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a `b`\nc\n\nd", "<p>a <code>b</code> c</p><p>d</p>"),
        ("<b> & `<i>`", "<p>&lt;b&gt; &amp; <code>&lt;i&gt;</code></p>"),
        ("", ""),
    ],
)
def test_prose_becomes_paragraphs_and_code(text: str, shown: str) -> None:
    assert prose(text) == shown


@pytest.mark.django_db
def test_the_page_has_each_operation_a_way_back_and_no_id_twice(alice: User, charlie: Client) -> None:
    pages = [client.get("/api/docs").content.decode() for client in (charlie, signed_in(alice))]
    for page in pages:
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
        assert page.count("<form data-try") == page.count('class="endpoint"')
        assert "curl -X POST" in page and "http://testserver/api/v1/jobs" in html.unescape(page)
    assert 'href="/tokens/"' in pages[1]
    packed = charlie.get("/api/docs", headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip" and len(packed.content) < len(pages[0]) / 5


@pytest.mark.django_db
def test_the_words_of_the_page_are_translated_and_the_texts_of_the_api_stay_english(client: Client) -> None:
    page: Any = client.get("/api/docs", headers={"Accept-Language": "de"}).content.decode()
    assert "Beispiel zu list_jobs" in page and '<h3 id="title-list_jobs" lang="en">List your jobs</h3>' in page
