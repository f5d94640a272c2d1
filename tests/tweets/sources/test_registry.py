from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.archives import archive_2022, ytd
from tweets.sources import SourceSettings, detect_kind, open_source
from tweets.sources.accounts import account_of
from tweets.sources.base import RateLimited, SourceError, SourceUnavailable
from tweets.sources.kinds import Claim, FileKind, Network, SourceKind
from tweets.sources.registry import SOURCES, kinds, networks
from tweets.sources.x.settings import XSettings


def test_it_knows_the_seven_kinds() -> None:
    assert list(SOURCES) == ["file", "x_archive", "bluesky", "mastodon", "x", "text", "demo"]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_each_describes_itself(kind: SourceKind) -> None:
    assert SOURCES[kind.name] == f"tweets.sources.{kind.name}" and len(kind.name) <= 16
    assert kind.label
    assert kind.name not in {"account", "basis", "column", "confirmed", "instead", "name", "way"}, "a field of the form"


def test_each_kind_of_file_says_what_it_is_and_where_its_posts_came_from() -> None:
    files = [kind for kind in kinds() if isinstance(kind, FileKind)]
    assert len(files) >= 2
    assert all(kind.offer and kind.origin % {"file": "posts.txt"} for kind in files)


@pytest.mark.parametrize("network", networks().values(), ids=lambda network: network.name)
def test_each_network_understands_its_own_example(network: Network) -> None:
    assert network.hint % {"max_posts": "1", "cost": "1"}
    assert network.claim(network.example) in (Claim.HANDLE, Claim.NO)
    assert account_of(network.example, network=network.name).network == network.name
    assert bool(network.needs) == bool(network.not_offered)


def test_listing_the_kinds_loads_no_library() -> None:
    code = "import sys; from tweets.sources.registry import kinds; kinds()"
    loaded = "sys.exit(bool({'tweepy', 'requests', 'ssl', 'django'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", f"{code}; {loaded}"], check=False).returncode == 0


def test_it_refuses_what_it_cannot_open(tmp_path: Path) -> None:
    settings = SourceSettings()
    for kind, options in (
        ("fax", {}),
        ("file", {}),
        ("x_archive", {}),
        ("x", {"path": tmp_path}),
        ("bluesky", {}),
        ("mastodon", {}),
    ):
        with pytest.raises(ValueError):
            open_source(kind, settings=settings, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("twitter-2026.zip", archive_2022(["a"])[:64], "x_archive"),
        ("upload", archive_2022(["a"])[:64], "x_archive"),
        ("tweets.js", ytd("tweets", 0, [])[:64], "x_archive"),
        ("tweets.txt", b"\xef\xbb\xbf window.YTD.tweet.part0 = [", "x_archive"),
        ("2013_02.js", b"Grailbird.data.tweets_2013_02 = \n[", "x_archive"),
        ("posts.txt", b"hello", "file"),
        ("posts.jsonl.gz", b"\x1f\x8b\x08", "file"),
        ("tweets.csv", b'"tweet_id"', "file"),
    ],
)
def test_it_tells_an_archive_from_a_file(name: str, head: bytes, kind: str) -> None:
    assert detect_kind(name, head) == kind


def test_errors_have_a_stable_code_and_only_two_are_worth_another_try() -> None:
    kinds = SourceError.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds) == 15
    assert {kind for kind in kinds if kind.transient} == {RateLimited, SourceUnavailable}


def test_the_token_is_not_in_the_repr_of_the_settings() -> None:
    assert "geheim" not in repr(SourceSettings(own=XSettings(bearer_token="geheim")))
