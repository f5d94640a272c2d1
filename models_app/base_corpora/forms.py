from __future__ import annotations

from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from botfactory.uploaded import name_of
from models_app.base_corpora import files
from models_app.base_corpora.services import Options
from tweets.cleaning import Duplicates
from tweets.cleaning.language import NAMES
from tweets.preparation import Format

_DUPLICATES = [
    (str(Duplicates.NEAR), gettext_lazy("Drop repeated and nearly identical posts")),
    (str(Duplicates.SAME), gettext_lazy("Drop repeated posts")),
    (str(Duplicates.KEEP), gettext_lazy("Keep all")),
]
_FORMATS = [
    ("", gettext_lazy("Detect automatically")),
    (str(Format.TABLE), gettext_lazy("Table")),
    (str(Format.LINES), gettext_lazy("A post on each line")),
    (str(Format.JSONL), "JSON Lines"),
    (str(Format.JSON), "JSON"),
    (str(Format.PARQUET), "Parquet"),
    (str(Format.X_ARCHIVE), gettext_lazy("X archive")),
]


class PrepareCorpusForm(forms.Form):
    """What to prepare, and how."""

    name = forms.CharField(
        max_length=files.MAX_NAME,
        initial="posts",
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Only unaccented letters, digits, hyphens and underscores."),
    )
    inputs = forms.MultipleChoiceField(
        required=False, label=gettext_lazy("Files on the server"), widget=forms.CheckboxSelectMultiple
    )
    upload = forms.FileField(required=False, label=gettext_lazy("Or a file of yours"))
    format = forms.ChoiceField(required=False, choices=_FORMATS, label=gettext_lazy("Format"))
    column = forms.CharField(
        max_length=80,
        required=False,
        label=gettext_lazy("Text column"),
        help_text=gettext_lazy("Its name, or its number in a table without a header. Leave blank to detect it."),
    )
    author_column = forms.CharField(
        max_length=80,
        required=False,
        label=gettext_lazy("Author column"),
        help_text=gettext_lazy("All posts of an author go into the same part. Leave blank to detect it."),
    )
    encoding = forms.CharField(max_length=40, initial="utf-8", label=gettext_lazy("Encoding"))
    languages = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Languages to keep"),
        widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text=gettext_lazy("Posts that are clearly in another language are dropped. Choose none to keep all."),
    )
    mask_personal = forms.BooleanField(
        required=False,
        initial=True,
        label=gettext_lazy("Mask personal data"),
        help_text=gettext_lazy(
            "Email addresses, phone numbers, keys and similar things become [email], [phone] and so on."
        ),
    )
    duplicates = forms.ChoiceField(choices=_DUPLICATES, label=gettext_lazy("Duplicates"))
    train = forms.IntegerField(initial=80, min_value=1, max_value=100, label=gettext_lazy("Percent for training"))
    validation = forms.IntegerField(initial=10, min_value=0, max_value=99, label=gettext_lazy("Percent for validation"))
    test = forms.IntegerField(initial=10, min_value=0, max_value=99, label=gettext_lazy("Percent for the test"))
    seed = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=2**31 - 1,
        label=gettext_lazy("Seed"),
        help_text=gettext_lazy("It determines the split and the order of the posts."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(file.name, f"{file.name} ({filesizeformat(file.bytes)})") for file in files.raw_files()]
        languages = sorted(((code, _(name)) for code, name in NAMES.items()), key=lambda pair: pair[1])
        for name, choices in (("inputs", found), ("languages", languages)):
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)
            field.choices = choices

    def asked(self) -> dict[str, Any]:
        """Return the keyword arguments for `services.prepare`."""
        data = self.cleaned_data
        upload = data["upload"]
        same = ("format", "column", "author_column", "encoding", "mask_personal", "duplicates", "seed")
        return {
            "name": data["name"],
            "inputs": data["inputs"],
            "uploaded": upload.file if upload else None,
            "file_name": name_of(upload) if upload else "",
            "options": Options(
                **{name: data[name] for name in same},
                languages=tuple(data["languages"]),
                shares=(data["train"], data["validation"], data["test"]),
            ),
        }

    def parts(self) -> list[tuple[str, list[BoundField]]]:
        """Return the fields in the groups of the page."""
        first = ("name", "inputs", "upload")
        reading = ("format", "column", "author_column", "encoding")
        cleaning = ("languages", "mask_personal", "duplicates")
        split = ("train", "validation", "test", "seed")
        groups = (("", first), (_("Reading"), reading), (_("Cleaning"), cleaning), (_("Split"), split))
        return [(title, [self[name] for name in names]) for title, names in groups]
