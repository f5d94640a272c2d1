from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweets.sources.accounts import Account, account_of
from tweets.sources.bluesky.handles import parse as parse_bluesky_handle
from tweets.sources.mastodon.handles import parse as parse_mastodon_handle
from tweets.sources.registry import networks
from tweets.sources.x.handles import parse as parse_x_handle

NETWORKS = list(networks())

DID = "did:plc:z72i7hdynmk6r22z27h6tvur"


@pytest.mark.parametrize(
    "typed",
    [
        "name_1",
        "@name_1",
        "  @name_1 \n",
        "https://x.com/name_1",
        "http://twitter.com/name_1/",
        "twitter.com/name_1/status/1",
        "mobile.twitter.com/name_1?s=20",
        "https://www.x.com/@name_1",
        "X.com/name_1#top",
        "https://twitter.com/#!/name_1",
    ],
)
def test_it_finds_the_name(typed: str) -> None:
    assert parse_x_handle(typed) == "name_1"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "  ",
        "two words",
        "sixteen_letters_",
        "naïve",
        "name!",
        "https://x.com/",
        "https://x.com/home",
        "x.com/search?q=a",
        "x.com/i/lists/1",
        "https://x.com/settings/account",
        "https://example.com/name",
        "https://x.com.evil.example/name",
        "@@name",
        "name\nother",
    ],
)
def test_it_refuses_with_a_sentence(typed: str) -> None:
    with pytest.raises(ValueError, match=r"[A-Z].*\.$"):
        parse_x_handle(typed)


@given(st.text(max_size=60))
def test_any_text_is_a_handle_or_a_value_error(typed: str) -> None:
    try:
        name = parse_x_handle(typed)
    except ValueError:
        name = "refused"
    assert name.isascii() and 1 <= len(name) <= 15


@pytest.mark.parametrize(
    "typed",
    [
        "name.example.com",
        "@name.example.com",
        " @Name.Example.com. ",
        "\u202a@name.example.com\u202c",
        "https://bsky.app/profile/name.example.com",
        "bsky.app/profile/name.example.com/post/3kabc?ref=1",
        "https://www.bsky.app/profile/@name.example.com#top",
        "at://name.example.com/app.bsky.feed.post/3kabc",
    ],
)
def test_it_finds_the_bluesky_handle(typed: str) -> None:
    assert parse_bluesky_handle(typed) == "name.example.com"
    assert account_of(typed) == Account("bluesky", "name.example.com")


@pytest.mark.parametrize("typed", [DID, f"@{DID}", f"https://bsky.app/profile/{DID}/post/3k", f"at://{DID}/x/y"])
def test_it_finds_the_did(typed: str) -> None:
    assert account_of(typed) == Account("bluesky", DID)


def test_a_name_alone_is_one_of_bluesky_where_bluesky_was_chosen() -> None:
    assert account_of("@name", network="bluesky") == Account("bluesky", "name.bsky.social")
    assert account_of("https://name.bsky.social/", network="x") == Account("bluesky", "name.bsky.social")
    assert account_of("@bücher.example") == Account("bluesky", "xn--bcher-kva.example")
    assert account_of("did:web:example.com").handle == "did:web:example.com"


@pytest.mark.parametrize(
    "typed",
    [
        "@name@Server.example",
        "name@server.example",
        "acct:name@server.example",
        "https://server.example/@name",
        "https://server.example/@name/115000000000000000?x=1",
        "https://server.example/users/name/statuses/1",
        "https://server.example/web/@name",
        "https://elsewhere.example/@name@server.example",
        "https://elsewhere.example/@name%40server.example",
        "@name@server.example:443",
        "@name@server.example.:0443",
        "@name@server.example。",
        "https://server.example:443/@name",
        "https://server.example.:443/users/name",
        "https://elsewhere.example/@name@server.example:443",
    ],
)
def test_it_finds_the_mastodon_handle(typed: str) -> None:
    assert parse_mastodon_handle(typed) == "name@server.example"
    for network in NETWORKS:
        assert account_of(typed, network=network) == Account("mastodon", "name@server.example")


def test_a_server_may_have_a_port_and_a_name_of_any_script() -> None:
    assert parse_mastodon_handle("@name@localhost:3000") == "name@localhost:3000"
    assert parse_mastodon_handle("http://127.0.0.1:3000/@name") == "name@127.0.0.1:3000"
    assert parse_mastodon_handle("@name@bücher.example") == "name@xn--bcher-kva.example"
    assert parse_mastodon_handle("@my.name-2@server.example") == "my.name-2@server.example"


@pytest.mark.parametrize("typed", ["@name", "name", "  name_1 "])
def test_a_name_alone_is_one_of_x(typed: str) -> None:
    assert account_of(typed).network == "x"


@pytest.mark.parametrize(
    "typed", ["https://x.com/name", "twitter.com/name/status/1", "https://mobile.twitter.com/name"]
)
def test_an_address_of_x_is_one_of_x_whatever_was_chosen(typed: str) -> None:
    assert {account_of(typed, network=network) for network in NETWORKS} == {Account("x", "name")}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "two words",
        "https://example.com/name",
        "https://example.com/",
        "ftp://server.example/@name",
        "https://user:secret@server.example/@name",
        "@name@",
        "@@server.example",
        "@name@server@other",
        "@name@server/path",
        "name@ser ver",
        "did:plc:short",
        "did:key:z6Mk",
        "@name@" + "x" * 400 + ".example",
        "a" * 300 + ".example",
        "-name.example",
        "name.123",
        "https://bsky.app/profile/",
        "https://x.com/home",
        "name\nother",
        "na\x00me",
    ],
)
def test_what_is_no_account_is_refused_with_a_sentence(typed: str, network: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        account_of(typed, network=network)


def test_a_mastodon_handle_without_its_server_is_told_what_is_missing() -> None:
    with pytest.raises(ValueError, match="names its server too"):
        account_of("@name", network="mastodon")


@given(st.text(max_size=80), st.sampled_from(NETWORKS))
def test_any_text_is_an_account_with_a_handle_for_the_database_or_a_value_error(typed: str, network: str) -> None:
    for text in (typed, f"@{typed}", f"@a@{typed}", f"https://bsky.app/profile/{typed}", f"https://{typed}/@a"):
        try:
            account = account_of(text, network=network)
        except ValueError:
            continue
        assert account.handle.isascii() and account.handle.isprintable() and 1 <= len(account.handle) <= 320
        assert account_of(f"@{account.handle}", network=account.network) == account
