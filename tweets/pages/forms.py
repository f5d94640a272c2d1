from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from botfactory.web.listing import ListForm
from botfactory.words.translation import translated
from tweets.cleaning import CleaningRules, RulesError
from tweets.cleaning.rules import LONGEST_WORD, MAX_MINIMUM_CHARACTERS, MAX_WORDS
from tweets.corpora.blend import MAX_WEIGHT
from tweets.models import UPLOAD, Corpus, OptOut, network_choices
from tweets.pages.ways import LONGEST_TYPED, Way, handle_field, ways
from tweets.sources.accounts import account_of
from tweets.sources.registry import kinds, networks


class NewCorpusForm(forms.Form):
    """One of the ways to import posts. The page sends `way` with the field of that way; each network has a field."""

    way = forms.ChoiceField()
    name = forms.CharField(max_length=80, required=False, strip=True, label=_("Name"))
    file = forms.FileField(required=False, label=_("Your file"))
    column = forms.CharField(max_length=80, required=False, strip=True, label=_("Text column"))
    text = forms.CharField(required=False, strip=False, widget=forms.Textarea, label=_("Posts, one on each line"))
    # For text and files. Networks name the account themselves.
    account = forms.CharField(max_length=LONGEST_TYPED, required=False, label=_("Whose account?"))
    keep_replies = forms.BooleanField(required=False, label=_("Keep replies"))
    keep_reposts = forms.BooleanField(required=False, label=_("Keep reposts"))
    # The corpus whose import failed and which this one replaces.
    instead = forms.UUIDField(required=False, widget=forms.HiddenInput)
    # Of a paid network: the estimate that the person accepted, from `costs.signed`.
    confirmed = forms.CharField(max_length=4000, required=False, widget=forms.HiddenInput)
    basis = forms.ChoiceField(
        choices=Corpus.Basis.choices,
        label=_("Whose posts are these?"),
        error_messages={
            "required": _("Choose whose posts these are. Your answer is stored with them."),
            "invalid_choice": _("Choose one of the answers on the page. Your answer is stored with the posts."),
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = dict.fromkeys(way for kind in kinds() if (way := Corpus(source=kind.name).way))
        self.fields["way"] = forms.ChoiceField(choices=[(name, name) for name in names], label=gettext("Source"))
        for kind in networks().values():
            self.fields[kind.name] = forms.CharField(max_length=LONGEST_TYPED, required=False, label=handle_field(kind))

    @classmethod
    def in_place_of(cls, corpus: Corpus, column: str) -> NewCorpusForm:
        """Return the form with the answers for a corpus whose import failed."""
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

    @property
    def ways(self) -> list[tuple[Way, bool, Any]]:
        """The choices on the page: each with whether it's chosen, and what was typed into its field for a handle."""
        chosen = self["way"].value() or UPLOAD
        return [(way, way.name == chosen, self[way.name].value() or "" if way.names_account else "") for way in ways()]


class ColumnForm(forms.Form):
    """The answer to an import that asked which column contains the posts."""

    column = forms.CharField(max_length=80, strip=True, label=_("Text column"))


class OptOutForm(forms.Form):
    """An account for the operator's list of opt-outs."""

    network = forms.ChoiceField(choices=network_choices, label=_("Network"))
    handle = forms.CharField(
        max_length=LONGEST_TYPED, label=_("Handle"), help_text=_("Such as @name, or the address of the profile.")
    )
    note = forms.CharField(max_length=200, required=False, label=_("Note"), help_text=_("Who asked, and when."))

    def clean(self) -> dict[str, Any]:
        """Add `account`, the Account that is meant."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        try:
            account = account_of(data["handle"], network=data["network"])
        except ValueError as error:
            self.add_error("handle", translated(error))
            return data
        if OptOut.objects.filter(network=account.network, handle=account.handle.lower()).exists():
            self.add_error("handle", gettext("This account is already on the list."))
        data["account"] = account
        return data


class CorporaForm(ListForm):
    """Which corpora the list shows."""

    SHOW = [
        ("", _("All posts")),
        (Corpus.State.READY.value, _("Ready")),
        (Corpus.State.IMPORTING.value, _("Importing")),
        (Corpus.State.FAILED.value, _("Import failed")),
    ]
    SORT = [("", _("Newest first")), ("name", _("By name")), ("posts", _("Most posts first"))]

    q = forms.CharField(max_length=200, required=False, label=_("Name or account"))
    state = forms.ChoiceField(choices=SHOW, required=False, label=_("State"))
    sort = forms.ChoiceField(choices=SORT, required=False, label=_("Order"))


class FindForm(ListForm):
    """Which posts of a corpus the page shows, removes or puts back."""

    SHOW = [
        ("kept", _("Kept posts")),
        ("removed", _("Posts you removed")),
        ("dropped", _("Posts that cleaning dropped")),
        ("all", _("All posts")),
    ]

    q = forms.CharField(max_length=200, required=False, label=_("Words"))
    show = forms.ChoiceField(choices=SHOW, required=False, label=_("Show"))
    since = forms.DateField(required=False, label=_("From"))
    until = forms.DateField(required=False, label=_("To"))

    @property
    def days(self) -> list[forms.BoundField]:
        return [self["since"], self["until"]]

    def clean_show(self) -> str:
        return str(self.cleaned_data["show"]) or "kept"


class BlendForm(forms.Form):
    """A weight for each corpus that may be a part."""

    name = forms.CharField(
        max_length=80, required=False, label=_("Name"), widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

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


#: The rules that the page of a corpus shows as switches.
SWITCHES: Final = ("keep_replies", "keep_reposts", "keep_quotes", "drop_auto", "mask_personal")


class RulesForm(forms.Form):
    """Every cleaning rule, under its own name."""

    keep_replies = forms.BooleanField(required=False, label=_("Keep replies"))
    keep_reposts = forms.BooleanField(required=False, label=_("Keep reposts"))
    keep_quotes = forms.BooleanField(required=False, label=_("Keep quotes"))
    keep_warnings = forms.BooleanField(required=False, label=_("Keep posts behind a content warning"))
    drop_cut = forms.BooleanField(required=False, label=_("Drop posts that were cut off"))
    drop_auto = forms.BooleanField(required=False, label=_("Drop posts that apps wrote"))
    mask_personal = forms.BooleanField(required=False, label=_("Mask personal data"))
    duplicates = forms.ChoiceField(
        choices=[
            ("near", _("Drop near-duplicates too")),
            ("same", _("Drop only exact duplicates")),
            ("keep", _("Keep them")),
        ],
        label=_("Repeated posts"),
    )
    language = forms.ChoiceField(
        choices=[("all", _("Keep all languages")), ("main", _("Keep only the main language"))], label=_("Languages")
    )
    minimum_characters = forms.IntegerField(
        min_value=1, max_value=MAX_MINIMUM_CHARACTERS, label=_("Minimum characters in a post"), widget=forms.NumberInput
    )
    links = forms.ChoiceField(
        choices=[("drop", _("Remove them")), ("placeholder", _("Replace them with [link]")), ("keep", _("Keep them"))],
        label=_("Links"),
    )
    newlines = forms.ChoiceField(
        choices=[("keep", _("Keep them")), ("space", _("Replace them with a space"))], label=_("Line breaks")
    )
    unicode = forms.ChoiceField(
        choices=[
            ("nfc", _("Encode equal letters the same way")),
            ("nfkc", _("Also turn fancy letters into plain ones")),
            ("keep", _("Leave them as they are")),
        ],
        label=_("Letters"),
    )
    unescape = forms.BooleanField(required=False, label=_("Turn &amp; back into &"))
    cut_quotes = forms.BooleanField(required=False, label=_("Remove the quoted post after “RT @name”"))
    drop_via = forms.BooleanField(required=False, label=_("Remove “via @name” at the end"))
    banned_words = forms.CharField(
        required=False,
        max_length=MAX_WORDS * (LONGEST_WORD + 2),
        label=_("Banned words"),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "none"}),
        help_text=_("One on each line. Posts that contain one of them as a whole word are dropped."),
    )

    @classmethod
    def of(cls, rules: CleaningRules) -> RulesForm:
        """Return the form that shows these rules."""
        return cls(initial={**rules.as_dict(), "banned_words": "\n".join(rules.banned_words)})

    @property
    def switches(self) -> list[forms.BoundField]:
        """The few rules that people change most."""
        return [self[name] for name in SWITCHES]

    @property
    def others(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in SWITCHES]

    def clean(self) -> dict[str, Any]:
        """Add `rules`, the CleaningRules of all fields."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        words = [word for word in re.split(r"[\r\n]+", data["banned_words"]) if word.strip()]
        try:
            data["rules"] = CleaningRules.from_dict({**data, "banned_words": words})
        except RulesError as error:
            self.add_error(error.name, translated(error))
        return data

    def rules(self) -> CleaningRules:
        rules: CleaningRules = self.cleaned_data["rules"]
        return rules
