"""The API reference for people: what the OpenAPI document says, in the order and the words of a page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

SCHEMAS: Final = "#/components/schemas/"
JSON: Final = "application/json"
#: Names of types that aren't names of formats.
TYPES: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
FORMATS: Final = {"uuid": "UUID", "date-time": "date and time", "binary": "file"}
#: Bounds of a value -> what they say about it.
BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    thing: str  # the schema that `kind` names, or nothing
    place: str  # path, query or header; nothing for a field
    is_required: bool
    default: str
    bounds: str
    text: SafeString


@dataclass(frozen=True, slots=True)
class Shape:
    """What a request or an answer contains: in which media type, of which schema, and an example."""

    media_type: str
    text: SafeString
    kind: str
    thing: str
    fields: list[Field]
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    text: SafeString
    shapes: list[Shape]


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    title: str
    text: SafeString
    scope: str
    parameters: list[Field]
    bodies: list[Shape]
    answers: list[Answer]
    errors: list[Answer]
    curl: str

    @property
    def json_body(self) -> Shape | None:
        """Return the first way to write the body as JSON, if there is one."""
        return next((body for body in self.bodies if body.media_type == JSON), None)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class Thing:
    """A schema that operations name, such as JobOut."""

    name: str
    text: SafeString
    values: list[str]
    fields: list[Field]
    example: str


@dataclass(frozen=True, slots=True)
class Reference:
    text: SafeString
    groups: list[Group]
    errors: list[Answer]
    things: list[Thing]


def reference(document: Mapping[str, Any], *, server: str) -> Reference:
    """Return the reference of an API, given its OpenAPI document and the address that its examples use."""
    return _Reader(document, server).reference()


def prose(text: str) -> SafeString:
    """Return paragraphs of HTML. In the text, an empty line ends a paragraph, and backticks enclose code."""
    paragraphs = [_inline(" ".join(part.split())) for part in text.split("\n\n") if part.strip()]
    return mark_safe("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))


def _inline(text: str) -> str:
    parts = str(escape(text)).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


class _Reader:
    def __init__(self, document: Mapping[str, Any], server: str) -> None:
        self._document = document
        self._server = server
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]
        self._named: list[str] = []

    def reference(self) -> Reference:
        groups: dict[str, list[Operation]] = {}
        for path, operations in self._document["paths"].items():
            for method, operation in operations.items():
                groups.setdefault(operation["tags"][0], []).append(self._operation(path, method.upper(), operation))
        every = [operation for operations in groups.values() for operation in operations]
        errors = {answer.status: answer for operation in every for answer in operation.errors}
        # Things name other things, so the list grows while they are read.
        things = [self._thing(name) for name in self._named]
        return Reference(
            text=prose(self._document["info"]["description"]),
            groups=[Group(name, operations) for name, operations in groups.items()],
            errors=[errors[status] for status in sorted(errors)],
            things=sorted(things, key=lambda thing: thing.name),
        )

    def _operation(self, path: str, method: str, operation: Mapping[str, Any]) -> Operation:
        parameters = [self._parameter(parameter) for parameter in operation.get("parameters", [])]
        content = operation.get("requestBody", {}).get("content", {})
        bodies = [shape for media_type, body in content.items() for shape in self._bodies(media_type, body)]
        answers = [self._answer(status, answer) for status, answer in operation["responses"].items()]
        scopes = [scope for way in operation.get("security", []) for scope in way.get("Token", [])]
        return Operation(
            name=operation["operationId"],
            method=method,
            path=path,
            title=operation["summary"],
            text=prose(operation.get("description", "")),
            scope=", ".join(scopes),
            parameters=parameters,
            bodies=bodies,
            answers=[answer for answer in answers if answer.status < "4"],
            errors=[answer for answer in answers if answer.status >= "4"],
            curl=self._curl(path, method, bodies, [answer for answer in answers if answer.status < "3"]),
        )

    def _parameter(self, parameter: Mapping[str, Any]) -> Field:
        schema = {**parameter["schema"], "description": parameter.get("description", "")}
        return self._field(parameter["name"], schema, parameter.get("required", False), place=parameter["in"])

    def _field(self, name: str, schema: Mapping[str, Any], is_required: bool, *, place: str = "") -> Field:
        default = schema.get("default")
        return Field(
            name=name,
            kind=self._kind(schema),
            thing=self._thing_of(schema),
            place=place,
            is_required=is_required,
            default="" if default is None or default == "" else json.dumps(default, ensure_ascii=False),
            bounds=", ".join(_bounds(schema)),
            text=mark_safe(_inline(schema.get("description", ""))),
        )

    def _fields(self, schema: Mapping[str, Any]) -> list[Field]:
        required = schema.get("required", [])
        return [self._field(name, field, name in required) for name, field in schema.get("properties", {}).items()]

    def _kind(self, schema: Mapping[str, Any]) -> str:
        """Return what values of a schema are, in words."""
        if "$ref" in schema:
            return _name(schema)
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return " | ".join(json.dumps(value) for value in schema["enum"])
        if ways := schema.get("anyOf") or schema.get("oneOf"):
            return " or ".join(dict.fromkeys(self._kind(way) for way in ways))
        if schema.get("type") == "array":
            return f"list of {self._kind(schema.get('items', {}))}"
        known = {**TYPES, "object": "object"}
        return FORMATS.get(schema.get("format", "")) or known.get(schema.get("type", ""), "anything")

    def _thing_of(self, schema: Mapping[str, Any]) -> str:
        """Return the first schema that this one names, which the reference then describes."""
        for part in (schema, schema.get("items", {}), *schema.get("anyOf", []), *schema.get("oneOf", [])):
            if "$ref" in part:
                name = _name(part)
                if name not in self._named:
                    self._named.append(name)
                return name
            if "items" in part and part is not schema and (name := self._thing_of(part)):
                return name
        return ""

    def _thing(self, name: str) -> Thing:
        schema = self._schemas[name]
        return Thing(
            name=name,
            text=prose(schema.get("description", "")),
            values=[json.dumps(value) for value in schema.get("enum", [])],
            fields=self._fields(schema),
            example=_printed(next(iter(schema.get("examples", [])), None)),
        )

    def _bodies(self, media_type: str, body: Mapping[str, Any]) -> Iterator[Shape]:
        """Yield the ways to write a body: its fields are beside the operation, not among the things."""
        examples = [example["value"] for example in body.get("examples", {}).values()]
        ways = body["schema"].get("oneOf", [body["schema"]]) if "title" not in body["schema"] else [body["schema"]]
        for way in ways:
            schema = self._schemas[_name(way)] if "$ref" in way else way
            example = next(
                (example for example in [*examples, *schema.get("examples", [])] if _fits(example, schema)), None
            )
            yield Shape(
                media_type=media_type,
                text=prose(schema.get("description", "")),
                kind="",
                thing="",
                fields=self._fields(schema),
                example=_printed(example),
            )

    def _answer(self, status: str, answer: Mapping[str, Any]) -> Answer:
        if "$ref" in answer:
            answer = self._document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        shapes = [self._shape(media_type, content) for media_type, content in answer.get("content", {}).items()]
        text = answer.get("description", "")
        return Answer(status=status, text=mark_safe(_inline(text or HTTPStatus(int(status)).phrase)), shapes=shapes)

    def _shape(self, media_type: str, content: Mapping[str, Any]) -> Shape:
        schema = content["schema"]
        target = self._schemas[_name(schema)] if "$ref" in schema else schema
        # A page of a list: what it lists is the thing to describe.
        listed = target.get("properties", {}).get("data") if "has_more" in target.get("properties", {}) else None
        named = listed or schema
        return Shape(
            media_type=media_type,
            text=prose(target.get("description", "")),
            kind=f"page with a {self._kind(named)}" if listed else self._kind(schema),
            thing=self._thing_of(named),
            fields=[] if "$ref" in schema else self._fields(schema),
            example=content.get("example", "") if isinstance(content.get("example"), str) else "",
        )

    def _curl(self, path: str, method: str, bodies: list[Shape], answers: list[Answer]) -> str:
        address = self._server + path.replace("{", "").replace("}", "")
        for name in _names_in(path):
            address = address.replace(f"/{name}", f"/{name.upper()}")
        verb = "" if method == "GET" else f"-X {method} "
        media_types = [shape.media_type for answer in answers for shape in answer.shapes]
        if media_types and not any(map(_is_text, media_types)):
            verb += "-OJ "
        parts = [f'curl {verb}-H "Authorization: Bearer $TOKEN"']
        written = next((body for body in bodies if body.media_type == JSON and body.example), None)
        if written is not None:
            parts += [
                '-H "Content-Type: application/json"',
                f"-d {shlex.quote(json.dumps(json.loads(written.example)))}",
            ]
        return " \\\n  ".join([*parts, address])


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or "json" in media_type


def _names_in(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).removeprefix(SCHEMAS)


def _fits(example: Any, schema: Mapping[str, Any]) -> bool:
    """Return whether the example is one of this schema, of several that a body may have."""
    fields = schema.get("properties", {})
    constants = {name: field["const"] for name, field in fields.items() if "const" in field}
    return (
        set(schema.get("required", [])) <= set(example) <= set(fields)
        and all(example.get(name, value) == value for name, value in constants.items())
    )  # fmt: skip


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    for part in (schema, *schema.get("anyOf", [])):
        yield from (said.format(f"{part[key]:,}") for key, said in BOUNDS.items() if key in part)


def _printed(example: Any) -> str:
    return "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
