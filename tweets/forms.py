from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any

from django import forms

from botfactory.listing import ListForm
from tweets.blend import MAX_WEIGHT
from tweets.cleaning import CleaningRules, RulesError
from tweets.cleaning.rules import LONGEST_WORD, MAX_MINIMUM_CHARACTERS, MAX_WORDS
from tweets.models import Corpus, OptOut
from tweets.sources.handles import account_of


class NewCorpusForm(forms.Form):
    """One of the ways to bring posts; the page sends `way` with the field of that way."""

    WAYS = [
        ("file", "A file or X archive"),
        ("bluesky", "A Bluesky handle"),
        ("mastodon", "A Mastodon handle"),
        ("x", "An X handle"),
        ("text", "Pasted text"),
    ]

    way = forms.ChoiceField(choices=WAYS)
    name = forms.CharField(max_length=80, required=False, strip=True)
    file = forms.FileField(required=False)
    column = forms.CharField(max_length=80, required=False, strip=True, label="Text column")
    text = forms.CharField(required=False, strip=False, widget=forms.Textarea)
    bluesky = forms.CharField(max_length=500, required=False, label="Bluesky handle")
    mastodon = forms.CharField(max_length=500, required=False, label="Mastodon handle")
    x = forms.CharField(max_length=500, required=False, label="X handle")
    # Of text and files: networks name the account themselves.
    account = forms.CharField(max_length=500, required=False, label="Whose account?")
    keep_replies = forms.BooleanField(required=False)
    keep_reposts = forms.BooleanField(required=False)
    # The corpus whose import failed, in whose place this one is brought.
    instead = forms.UUIDField(required=False, widget=forms.HiddenInput)
    # Of an X handle: the estimate that was said Yes to, as `costs.signed` gives it.
    confirmed = forms.CharField(max_length=4000, required=False, widget=forms.HiddenInput)
    basis = forms.ChoiceField(
        choices=Corpus.Basis.choices,
        label="Whose posts are these?",
        error_messages={
            "required": "Choose whose posts you bring: it is kept with them.",
            "invalid_choice": "Choose one of the answers on the page: it is kept with the posts.",
        },
    )

    @classmethod
    def in_place_of(cls, corpus: Corpus, column: str) -> NewCorpusForm:
        """The form with what was said of a corpus whose import failed."""
        named = {corpus.way: corpus.account} if corpus.comes_from_network else {"account": corpus.account}
        return cls(
            initial={
                "way": corpus.way,
                "name": corpus.name,
                "basis": corpus.basis,
                "keep_replies": corpus.keep_replies,
                "keep_reposts": corpus.keep_reposts,
                "column": column,
                "instead": corpus.pk,
                **named,
            }
        )


class ColumnForm(forms.Form):
    """The answer to an import that asked which column holds the posts."""

    column = forms.CharField(max_length=80, strip=True, label="Text column")


class OptOutForm(forms.Form):
    """An account for the operator's list of opt-outs."""

    network = forms.ChoiceField(choices=OptOut.Network.choices)
    handle = forms.CharField(max_length=500, help_text="Such as @name, or the address of the profile.")
    note = forms.CharField(max_length=200, required=False, help_text="Who asked, and when.")

    def clean(self) -> dict[str, Any]:
        """Adds `account`, the Account that is meant."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        try:
            account = account_of(data["handle"], network=data["network"])
        except ValueError as error:
            self.add_error("handle", str(error))
            return data
        if OptOut.objects.filter(network=account.network, handle=account.handle.lower()).exists():
            self.add_error("handle", "This account is on the list already.")
        data["account"] = account
        return data


class CorporaForm(ListForm):
    """Which corpora the list shows."""

    SHOW = [
        ("", "All posts"),
        (Corpus.State.READY.value, "Ready"),
        (Corpus.State.IMPORTING.value, "Importing"),
        (Corpus.State.FAILED.value, "Import failed"),
    ]

    q = forms.CharField(max_length=200, required=False, label="Name or account")
    state = forms.ChoiceField(choices=SHOW, required=False, label="State")


class FindForm(ListForm):
    """Which posts of a corpus are shown, and taken out or put back."""

    SHOW = [
        ("kept", "Kept posts"),
        ("removed", "Posts you took out"),
        ("dropped", "Posts that cleaning dropped"),
        ("all", "All posts"),
    ]

    q = forms.CharField(max_length=200, required=False, label="Words")
    show = forms.ChoiceField(choices=SHOW, required=False, label="Among")

    def clean_show(self) -> str:
        return str(self.cleaned_data["show"]) or "kept"


class BlendForm(forms.Form):
    """A weight for each corpus that may be a part."""

    name = forms.CharField(max_length=80, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, corpora: Sequence[Corpus], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.corpora = corpora
        for corpus in corpora:
            self.fields[f"weight_{corpus.pk}"] = forms.IntegerField(
                min_value=0, max_value=MAX_WEIGHT, initial=0, label=corpus.name
            )

    @property
    def weights(self) -> list[tuple[Corpus, forms.BoundField]]:
        return [(corpus, self[f"weight_{corpus.pk}"]) for corpus in self.corpora]

    def chosen(self) -> dict[uuid.UUID, int]:
        return {corpus.pk: self.cleaned_data[f"weight_{corpus.pk}"] for corpus in self.corpora}


class RulesForm(forms.Form):
    """Every rule of cleaning, under its own name."""

    keep_replies = forms.BooleanField(required=False, label="Keep replies")
    keep_reposts = forms.BooleanField(required=False, label="Keep reposts")
    keep_quotes = forms.BooleanField(required=False, label="Keep quotes")
    keep_warnings = forms.BooleanField(required=False, label="Keep posts behind a content warning")
    drop_cut = forms.BooleanField(required=False, label="Drop posts that were cut off")
    drop_auto = forms.BooleanField(required=False, label="Drop posts that apps wrote")
    duplicates = forms.ChoiceField(
        choices=[
            ("near", "Drop what says nearly the same"),
            ("same", "Drop only what is equal"),
            ("keep", "Keep them"),
        ],
        label="Posts that come again",
    )
    language = forms.ChoiceField(
        choices=[("all", "Keep all languages"), ("main", "Keep the one most posts are in")], label="Languages"
    )
    minimum_characters = forms.IntegerField(
        min_value=1, max_value=MAX_MINIMUM_CHARACTERS, label="Fewest characters of a post", widget=forms.NumberInput
    )
    links = forms.ChoiceField(
        choices=[("drop", "Take them out"), ("placeholder", "Write [link] in their place"), ("keep", "Keep them")],
        label="Links",
    )
    newlines = forms.ChoiceField(
        choices=[("keep", "Keep them"), ("space", "Put a space in their place")], label="Line breaks"
    )
    unicode = forms.ChoiceField(
        choices=[
            ("nfc", "Write the same letter the same way"),
            ("nfkc", "Also make plain letters of fancy ones"),
            ("keep", "Leave them as they are"),
        ],
        label="Letters",
    )
    unescape = forms.BooleanField(required=False, label="Turn &amp; back into &")
    cut_quotes = forms.BooleanField(required=False, label="Cut off what is quoted after RT")
    drop_via = forms.BooleanField(required=False, label="Cut off “via @name” at the end")
    banned_words = forms.CharField(
        required=False,
        max_length=MAX_WORDS * (LONGEST_WORD + 2),
        label="Banned words",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "none"}),
        help_text="One on each line. A post that holds one of them as a whole word is dropped.",
    )

    @classmethod
    def of(cls, rules: CleaningRules) -> RulesForm:
        """The form that shows these rules."""
        return cls(initial={**rules.as_dict(), "banned_words": "\n".join(rules.banned_words)})

    def clean(self) -> dict[str, Any]:
        """Adds `rules`, the CleaningRules of it all."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        words = [word for word in re.split(r"[\r\n]+", data["banned_words"]) if word.strip()]
        try:
            data["rules"] = CleaningRules.from_dict({**data, "banned_words": words})
        except RulesError as error:
            self.add_error(error.name, str(error))
        return data

    def rules(self) -> CleaningRules:
        rules: CleaningRules = self.cleaned_data["rules"]
        return rules
