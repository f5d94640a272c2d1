from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class ImportForm(forms.Form):
    """The ZIP that another Bot Factory made."""

    file = forms.FileField(
        label=_("ZIP"),
        help_text=_("What “Download all my data” gave you, as it is."),
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
    )
