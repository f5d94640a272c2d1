from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.states import ENDED, WORDS
from botfactory.listing import ListForm


class JobsForm(ListForm):
    """Which jobs the list shows."""

    SHOW = [
        ("", _("All jobs")),
        ("active", _("Not finished")),
        *((state.value, _(word)) for state, word in WORDS.items() if state in ENDED),
    ]

    q = forms.CharField(max_length=200, required=False, label=_("Title"))
    state = forms.ChoiceField(choices=SHOW, required=False, label=_("State"))
