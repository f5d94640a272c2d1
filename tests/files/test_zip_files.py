from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botfactory.files.zip_files import BadZip, Member, ZipFolder
from tests.fakes.archives import write_large

NAMES = st.text(st.characters(exclude_characters="/\\\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
FOLDERS = st.dictionaries(NAMES, st.tuples(st.binary(max_size=3000), st.booleans()), max_size=6)


def content_of(folder: ZipFolder, member: Member) -> bytes:
    reader = folder.open(member)
    return b"".join(iter(lambda: reader.read(1000), b""))


def read(path: Path) -> dict[str, bytes]:
    with ZipFolder(path) as folder:
        return {member.name: content_of(folder, member) for member in list(folder.members())}


def zipped(files: dict[str, tuple[bytes, bool]], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = comment
        for name, (content, is_packed) in files.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED)
    return out.getvalue()


@pytest.mark.parametrize("is_packed", [True, False])
def test_nothing_is_read_when_no_bytes_are_asked_for(tmp_path: Path, is_packed: bool) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.txt": (b"all of it", is_packed)}))
    with ZipFolder(path) as folder:
        reader = folder.open(next(folder.members()))
        assert (reader.read(0), reader.read(), reader.read(0)) == (b"", b"all of it", b"")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FOLDERS, comment=st.binary(max_size=100), before=st.binary(max_size=50))
def test_it_reads_what_another_has_packed(
    tmp_path: Path, files: dict[str, tuple[bytes, bool]], comment: bytes, before: bytes
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(before + zipped(files, comment.replace(b"PK", b"")))
    assert read(path) == {name.lstrip("/"): content for name, (content, _) in files.items()}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_zip_gives_the_right_bytes_or_bad_zip(tmp_path: Path, data: st.DataObject) -> None:
    files = {"a.txt": (b"the first file, " * 40, True), "b/c.txt": (bytes(range(256)), False)}
    whole = bytearray(zipped(files))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.zip"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    try:
        contents = read(path).values()
    except BadZip:
        contents = {}.values()
    assert set(contents) <= {content for content, _ in files.values()}


def test_places_beyond_four_gigabytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    write_large(path, {"zeros": 4_500_000_000, "words.txt": b"words" * 100})
    with ZipFolder(path) as folder:
        zeros, words = folder.members()
        assert (zeros.size, zeros.offset, words.name) == (4_500_000_000, 0, "words.txt")
        assert words.offset > 4_500_000_000 and content_of(folder, words) == b"words" * 100
    with zipfile.ZipFile(path) as archive:
        assert archive.read("words.txt") == b"words" * 100


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_packed_in_another_way_is_a_bad_zip(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.txt", "words")
    with pytest.raises(BadZip):
        read(path)


def test_folders_are_no_files_and_names_lead_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"folder/": (b"", False), "/etc/passwd": (b"x", False), "a\\b.txt": (b"y", True)}))
    assert read(path) == {"etc/passwd": b"x", "a/b.txt": b"y"}
