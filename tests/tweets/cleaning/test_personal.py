"""Personal data: what is found in posts, what isn't, and that no bot learns it."""

from __future__ import annotations

import io
import re
import time

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from botfactory.accounts.models import User
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import Change, Cleaner, CleaningRules, Drop
from tweets.cleaning.personal import Kind, adds, find, mask
from tweets.corpora import learning, services
from tweets.corpora.examples import Effect, Example
from tweets.models import Corpus
from tweets.sources.base import Post

MADE_UP_KEY = "q7Xw" + "2LmP9" * 5 + "zRt4Kc8"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail joe.doe+x@mail.example.co.uk.", "mail [email]."),
        ("(joe@example.org)", "([email])"),
        ("joe＠example.org", "[email]"),
        ("write to joe [at] example [dot] org please", "write to [email] please"),
        ("joe at gmail dot com", "[email]"),
        ("joe.doe @ gmail . com", "[email]"),
        ("joe@example.com-Joe, _ann@example.org_", "[email]-Joe, [email]_"),
        ("joe (@) example.com or ann[@]example.com", "[email] or [email]"),
        ("joe {at} example.com, joe <at> example.com, joe [ at ] example.com", "[email], [email], [email]"),
        ("joe at gmx.de and ann at aol.com", "[email] and [email]"),
        ("ask joe dot doe at gmail dot com", "ask [email]"),
        ("joe [dot] b(dot)doe [at] example [dot] org", "[email]"),
        ("+49 171 2345678 is me", "[phone] is me"),
        ("call me on 0049 30 901820!", "call me on [phone]!"),
        ("(202) 224-5141", "[phone]"),
        ("202-224-5141 or 202.224.5141", "[phone] or [phone]"),
        ("Call 5550142 now, or 555-0143", "Call [phone] now, or [phone]"),
        ("Ruf mich an: 5550142, Telefon 5550143", "Ruf mich an: [phone], Telefon [phone]"),
        ("Appelez-moi au 5550142, TÉL. 5550143", "Appelez-moi au [phone], TÉL. [phone]"),
        ("Llámame: 5550142. Chiamami: 5550143", "Llámame: [phone]. Chiamami: [phone]"),
        ("020 7946 0018", "[phone]"),
        ("Call 2019-0301 now", "Call [phone] now"),
        ("phone 202-555-0143, since 2018", "phone [phone], since 2018"),
        ("my number: 01 42 68 53 00", "my number: [phone]"),
        ("0170 123 4567 or 0170/123 45 67", "[phone] or [phone]"),
        ("Handy 0176 84 52 19 73, (0151) 23 45 67 89", "Handy [phone], [phone]"),
        ("0711 / 12 34 56 7 and 0711/123456-0", "[phone] and [phone]"),
        ("07911 12 34 56", "[phone]"),
        ("011 91234-5678", "[phone]"),
        ("DE89 3704 0044 0532 0130 00 THANKS", "[iban] THANKS"),
        ("gb29nwbk60161331926819", "[iban]"),
        ("4111 1111 1111 1111", "[card]"),
        ("card 5500-0000-0000-0004 ok", "card [card] ok"),
        ("378282246310005", "[card]"),
        ("SSN 123-45-6789", "SSN [ssn]"),
        ("SSN 123\u201145\u20116789, 123\u201345\u20136789", "SSN [ssn], [ssn]"),
        ("Call 555\u20110142 or 202\u2010224\u20105141", "Call [phone] or [phone]"),
        ("4111\u22121111\u22121111\u22121111", "[card]"),
        ("DE89\u20113704\u20110044\u20110532\u20110130\u201100", "[iban]"),
        ("GB82\u2011WEST\u20111234\u20115698\u20117654\u201132", "[iban]"),
        ("1\u20144111 1111 1111 1111\u20145", "1\u2014[card]\u20145"),
        (
            "mine\u20144111\u22121111\u22121111\u22121111\u2014and 123-45-6789\u2014that",
            "mine\u2014[card]\u2014and [ssn]\u2014that",
        ),
        ("from 84.23.119.5 and 2001:db8:85a3::8a2e:370:7334", "from [ip] and 2001:db8:85a3::8a2e:370:7334"),
        ("2a00:1450:4001:81b::200e", "[ip]"),
        ("key sk-" + MADE_UP_KEY, "key [key]"),
        ("ghp_" + "a1B2" * 9, "[key]"),
        ("AKIA" + "Q3X7" * 4, "[key]"),
        ("xoxb" + "-123456789012-abcdefABCDEF", "[key]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- oops", "[key] oops"),
        ("password: hunter2, login: joe", "password: [key], login: joe"),
        ("WLAN-Passwort: geheim123, Kennwort = Tor4wart", "WLAN-Passwort: [key], Kennwort = [key]"),
        (MADE_UP_KEY, "[key]"),
        ("0123456789abcdef0123456789abcdef", "[key]"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert mask(text)[0] == masked


@pytest.mark.parametrize(
    "text",
    [
        "@joe@mastodon.example is a name, @joe too",
        "look at amazon dot com",
        "look at web design, live at the hall, a dot at the end (at last)",
        "Call for papers: 2019-03-01, text by 2019 03 02, call 2024-12-24 18:30",
        "Mobile trends 2018-2019, cell counts 1998 2001, Handy 2018-2019, se llama 2018 2019, chiamata 5550142",
        "3.1415926535 and 2.718281828",
        "it costs $1,234,567.89 or 12 345 678 €",
        "24.12.2024 18:30, 2024-12-24 18:30:15, 3-2, 110-105, 1 2 3 4 5 6 7 8 9 10",
        "version 16.0.7920.1000, v1.2.0.0, Chrome 62.0.3202.94, build 38.0.0.214",
        "my router is 192.168.178.1, localhost 127.0.0.1",
        "4111 1111 1111 1112 isn't a card",
        "DE89 3704 0044 0532 0130 01 isn't an account",
        "000-12-3456 and 900-12-3456 aren't issued",
        "https://example.org/status/1674452749378002945 and #2024001122334 and @user2025550123",
        "SnookeredByFraudsters666 and Make-it-up-as-I-go-along and aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "password: please, token: none, the secret: love, Passwort: bitte",
        "03.04.2021 15:30, 05-11-2023 18:30, 01 02 2019 18:30, 05.11.-07.11.2023, 07.06.2018-10.06.2018",
        "08.00-12.00 14.00-18.00, 08.15 - 09.45 - 11.30, 05 10 15 20 25 30, 02-01 03-02 01-04, 06 2021 09 2021",
        "001 002 003 004, 0001-0002-0003, 007 2012 2015, 0.125 10.20 33.50",
        "01001101 33333333333 2:1 std::abc 10:30:15",
        "[email] [phone] [iban] [card] [ssn] [ip] [key]",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert find(text) == []


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["joe", "@", "example.org", " ", ".", "-", "+49 ", "call ", "5550142", "4111", "1", "dot", ":", "\u2011"]
        )
        | st.text(max_size=4),
        max_size=16,
    ).map("".join)
)
def test_masking_again_changes_nothing_and_nothing_is_left(text: str) -> None:
    masked, kinds = mask(text)
    assert find(masked) == [] and mask(masked) == (masked, ())
    assert (masked == text) == (kinds == ())


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "a.",
        "1",
        "1 ",
        "1-",
        "1\u2011",
        "a@",
        "@",
        "password:",
        "12:",
        "AB12",
        "at ",
        "a dot ",
        "(at)a",
        "BEGIN PRIVATE KEY",
    ],
)
def test_a_hostile_post_takes_no_time(part: str) -> None:
    begun = time.process_time()
    find(part * (20_000 // len(part)))
    assert time.process_time() - begun < 2


def test_what_a_prompt_says_may_come_again_and_nothing_else() -> None:
    assert not adds("mail joe@example.org today", "mail joe@example.org")
    assert adds("mail joe@example.org", "mail joe")
    assert adds("mail joe@example.org or ann@example.org", "mail joe@example.org")
    assert not adds("call me maybe")


def post(text: str) -> Post:
    return Post(key="1", text=text, created_at=None)


def test_cleaning_masks_unless_the_rules_keep_it() -> None:
    text = "mail joe@example.org or ann@example.org &amp; wait"
    outcome = Cleaner(CleaningRules()).clean(post(text))
    assert outcome.text == "mail [email] or [email] & wait"
    assert (outcome.changes, outcome.masked) == ((Change.ENTITIES, Change.PERSONAL), (Kind.EMAIL, Kind.EMAIL))
    assert "joe@example.org" in Cleaner(CleaningRules(mask_personal=False)).clean(post(text)).text


def test_a_post_of_nothing_else_says_nothing() -> None:
    assert Cleaner(CleaningRules()).clean(post("joe@example.org +49 171 2345678")).dropped is Drop.NOT_TEXT


SECRETS = ["Mail me at joe@example.org some time", "My new number is +49 171 2345678, call me"]


@pytest.mark.django_db(transaction=True)
def test_an_import_masks_counts_and_shows_it(alice: User) -> None:
    corpus = pasted(alice, [*SECRETS, "Ann has ann@example.org now", *make_posts(20)])
    learned = learning.training_posts(corpus)
    assert learned[:2] == ["Mail me at [email] some time", "My new number is [phone], call me"]
    page = signed_in(alice).get(f"/corpora/{corpus.pk}/").content.decode()
    assert "Masked before a bot learns: 2 email addresses, 1 phone number." in page
    # Its owner sees what the rule has changed: once, as the post was before.
    assert page.count("joe@example.org") == 1
    assert re.search(r"<dt>Before</dt><dd[^>]*>Mail me at joe@example\.org some time</dd>", page)
    context = signed_in(alice).get(f"/corpora/{corpus.pk}/clean").context
    assert Effect("personal", 3, context["changes"][0].examples) == context["changes"][0]
    assert Example(SECRETS[0], learned[0]) in context["changes"][0].examples
    report = signed_in(alice).get(f"/api/v1/corpora/{corpus.pk}/report").json()
    assert report["personal_data"] == {"email": 2, "phone": 1}


@pytest.mark.django_db(transaction=True)
def test_the_terminal_says_it_too(alice: User, tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "posts.txt"
    file.write_text("\n".join([*SECRETS, *make_posts(20)]))
    said = io.StringIO()
    call_command("import_posts", str(file), owner=alice.username, stdout=said)
    assert "masked: 1 email address, 1 phone number" in said.getvalue()


@pytest.mark.django_db(transaction=True)
def test_whoever_switches_it_off_keeps_it_and_sees_that(alice: User) -> None:
    corpus = pasted(alice, [*SECRETS, *make_posts(20)])
    _, corpus = run(services.reclean(corpus, CleaningRules(mask_personal=False)))
    assert learning.training_posts(corpus)[:2] == SECRETS
    assert "data-unmasked" in signed_in(alice).get(f"/corpora/{corpus.pk}/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_corpus_of_before_is_masked_when_a_bot_learns_it_and_by_the_next_cleaning(alice: User) -> None:
    corpus = pasted(alice, [*SECRETS, *make_posts(20)])
    # As an earlier version left it: without the rule, and cleaned without it.
    rules = {name: value for name, value in corpus.rules.items() if name != "mask_personal"}
    report = {name: value for name, value in corpus.report.items() if name != "personal"}
    Corpus.objects.filter(pk=corpus.pk).update(rules=rules, report=report)
    for text in SECRETS:
        corpus.posts.filter(text=text).update(cleaned=text)
    corpus.refresh_from_db()
    assert "[email]" in learning.training_posts(corpus)[0]
    assert corpus.posts.filter(cleaned=SECRETS[0]).exists()
    _, corpus = run(services.reclean(corpus, corpus.cleaning_rules))
    assert not corpus.posts.filter(cleaned__in=SECRETS).exists()
    assert corpus.report["personal"] == {"email": 1, "phone": 1}
