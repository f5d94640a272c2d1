from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy


class GetForm(forms.Form):
    """A repository on the hub, by its name."""

    repository = forms.CharField(
        max_length=300,
        label=gettext_lazy("Repository"),
        help_text=gettext_lazy("Its name on the hub, such as HuggingFaceTB/SmolLM2-360M."),
    )
    revision = forms.CharField(
        max_length=200,
        required=False,
        label=gettext_lazy("Revision"),
        help_text=gettext_lazy("A branch, a tag or a commit. Leave blank for the suggested or the newest one."),
    )
    name = forms.CharField(max_length=72, required=False, widget=forms.HiddenInput)
