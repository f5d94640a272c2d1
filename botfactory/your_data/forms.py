from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class ImportForm(forms.Form):
    """The ZIP of an account, from this or another Bot Factory."""

    file = forms.FileField(
        label=_("ZIP"),
        help_text=_("The file from “Download all my data”, unchanged."),
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
    )
