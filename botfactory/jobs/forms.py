from __future__ import annotations

from django import forms

from botfactory.jobs.states import State
from botfactory.listing import ListForm


class JobsForm(ListForm):
    """Which jobs the list shows."""

    SHOW = [
        ("", "All jobs"),
        ("active", "At work"),
        (State.SUCCEEDED.value, "Done"),
        (State.FAILED.value, "Failed"),
        (State.CANCELLED.value, "Cancelled"),
    ]

    q = forms.CharField(max_length=200, required=False, label="Title")
    state = forms.ChoiceField(choices=SHOW, required=False, label="State")
