from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class User(AbstractUser):
    """A person. The founder is the first who signed up: the administrator of this installation."""

    is_founder = models.BooleanField(default=False, editable=False)

    class Meta(AbstractUser.Meta):
        constraints = [
            # One founder, also when two people sign up at the same moment.
            models.UniqueConstraint(fields=["is_founder"], condition=Q(is_founder=True), name="one_founder")
        ]
