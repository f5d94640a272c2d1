from __future__ import annotations

import pytest
from django.test import Client

from botfactory.accounts.models import User
from tests.conftest import signed_in
from tests.models_app.conftest import base as base
from tests.models_app.conftest import corpus as corpus
from tests.models_app.conftest import model as model


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)
