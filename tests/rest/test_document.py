"""Generated clients use the names of operations, so changing a name breaks other people's programs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from botfactory.api import api
from botfactory.rest import interface
from botfactory.rest.openapi import Document
from tests.rest.helpers import V1

NAMES = {
    "GET /corpora": "list_corpora",
    "POST /corpora": "create_corpus",
    "DELETE /corpora/{corpus_id}": "delete_corpus",
    "GET /corpora/{corpus_id}": "get_corpus",
    "POST /corpora/{corpus_id}/column": "name_column",
    "GET /corpora/{corpus_id}/posts": "corpus_posts",
    "GET /corpora/{corpus_id}/report": "corpus_report",
    "GET /gallery": "list_gallery",
    "GET /gallery/{model_id}": "get_public_model",
    "POST /gallery/{model_id}/generate": "generate_by_public_model",
    "GET /generations": "list_generations",
    "DELETE /generations": "delete_generations",
    "DELETE /generations/{generation_id}": "delete_generation",
    "GET /generations/{generation_id}": "get_generation",
    "GET /jobs": "list_jobs",
    "POST /jobs": "create_job",
    "POST /jobs/estimate": "estimate_job",
    "POST /jobs/instant": "create_instant_bot",
    "DELETE /jobs/{job_id}": "delete_job",
    "GET /jobs/{job_id}": "get_job",
    "POST /jobs/{job_id}/cancel": "cancel_job",
    "GET /jobs/{job_id}/checkpoints": "job_checkpoints",
    "GET /jobs/{job_id}/events": "job_events",
    "POST /jobs/{job_id}/retry": "retry_job",
    "POST /jobs/{job_id}/stop": "stop_job",
    "GET /kept": "list_kept",
    "POST /kept": "keep_post",
    "DELETE /kept/{kept_id}": "remove_kept",
    "GET /me": "get_me",
    "GET /me/export": "export_account",
    "GET /models": "list_models",
    "GET /models/bases": "list_bases",
    "POST /models/bases": "get_base_model",
    "GET /models/bases/hub": "look_at_base",
    "GET /models/bases/suggested": "list_suggested_bases",
    "DELETE /models/{model_id}": "delete_model",
    "GET /models/{model_id}": "get_model",
    "PATCH /models/{model_id}": "change_model",
    "GET /models/{model_id}/download": "download_model",
    "POST /models/{model_id}/evaluate": "evaluate_model",
    "POST /models/{model_id}/generate": "generate",
    "POST /models/{model_id}/link": "renew_link",
    "GET /proposals": "list_proposals",
    "GET /proposals/{proposal_id}": "get_proposal",
    "POST /proposals/{proposal_id}/approve": "approve_proposal",
    "POST /proposals/{proposal_id}/back": "put_back_proposal",
    "POST /proposals/{proposal_id}/move": "move_proposal",
    "POST /proposals/{proposal_id}/recall": "recall_proposal",
    "POST /proposals/{proposal_id}/reject": "reject_proposal",
    "POST /publications/{publication_id}/again": "send_publication_again",
    "GET /queues/{model_id}": "get_queue",
    "PATCH /queues/{model_id}": "change_queue",
    "GET /queues/{model_id}/accounts": "list_accounts",
    "POST /queues/{model_id}/accounts": "connect_account",
    "DELETE /queues/{model_id}/accounts/{account_id}": "disconnect_account",
    "POST /queues/{model_id}/proposals": "write_proposals",
    "POST /queues/{model_id}/recall": "recall_queue",
    "POST /queues/stop": "stop_queues",
    "GET /searches": "list_searches",
    "POST /searches": "create_search",
    "POST /searches/base": "create_base_search",
    "DELETE /searches/{search_id}": "delete_search",
    "GET /searches/{search_id}": "get_search",
    "POST /searches/{search_id}/resume": "resume_search",
    "POST /searches/{search_id}/stop": "stop_search",
    "GET /searches/{search_id}/trials": "list_trials",
    "POST /searches/{search_id}/trials": "add_trials",
    "POST /searches/{search_id}/use": "use_trial",
    "GET /shared/{link}": "get_unlisted_model",
    "POST /shared/{link}/generate": "generate_by_unlisted_model",
    "GET /tokens": "list_tokens",
    "POST /tokens": "create_token",
    "DELETE /tokens/{token_id}": "revoke_token",
    "GET /tokens/{token_id}": "get_token",
    "GET /webhooks": "list_webhooks",
    "POST /webhooks": "create_webhook",
    "DELETE /webhooks/{webhook_id}": "delete_webhook",
    "GET /webhooks/{webhook_id}": "get_webhook",
    "PATCH /webhooks/{webhook_id}": "change_webhook",
    "GET /webhooks/{webhook_id}/deliveries": "list_deliveries",
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/resend": "resend_delivery",
    "POST /webhooks/{webhook_id}/secret": "renew_webhook_secret",
    "POST /webhooks/{webhook_id}/test": "test_webhook",
}


def test_each_loss_says_that_it_is_of_bytes() -> None:
    fields = {
        f"{schema}.{name}": field.get("description", "")
        for schema, described in api.get_openapi_schema()["components"]["schemas"].items()
        for name, field in described.get("properties", {}).items()
        if name == "loss" or name.endswith("_loss")
    }
    assert set(fields) >= {
        "JobProgress.loss",
        "Checkpoint.train_loss",
        "Checkpoint.val_loss",
        "BestCheckpoint.val_loss",
    }
    assert {name for name, description in fields.items() if "nats per byte" not in description} == set()


@pytest.mark.parametrize("path", ["/corpora/{corpus_id}", "/models/{model_id}"])
def test_what_makes_bots_private_says_so(path: str) -> None:
    assert "become private" in api.get_openapi_schema()["paths"][f"{V1}{path}"]["delete"]["description"]


def test_each_operation_keeps_its_name() -> None:
    paths = api.get_openapi_schema()["paths"]
    names = {
        f"{method.upper()} {path.removeprefix(V1)}": operation["operationId"]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert names == NAMES
    assert len(set(names.values())) == len(names)


def test_a_form_says_that_it_takes_no_other_fields() -> None:
    forms = {
        path: content["schema"]
        for path, operations in api.get_openapi_schema()["paths"].items()
        for operation in operations.values()
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        if kind != "application/json"
    }
    assert f"{V1}/corpora" in forms
    assert {path for path, schema in forms.items() if schema.get("additionalProperties") is not False} == set()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the root paths of the documents that are built from now on, as in a process that has just begun."""
    built: list[str] = []

    class Counted(Document):
        def __init__(self, *given: Any) -> None:
            built.append(given[1])
            super().__init__(*given)

    interface._described.cache_clear()
    monkeypatch.setattr(interface, "Document", Counted)
    return built


@pytest.mark.django_db
def test_the_document_is_built_once_in_english_and_not_sent_to_who_has_it(client: Client, counted: list[str]) -> None:
    first = client.get(f"{V1}/openapi.json", headers={"Accept-Language": "de"})
    assert first.status_code == 200 and first.json()["openapi"].startswith("3.1")
    assert "You aren’t allowed to do this." in str(first.json()["components"]["responses"]["E403"])
    again = client.get(f"{V1}/openapi.json", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"{V1}/openapi.json").content == first.content
    assert client.get("/api/docs").status_code == 200
    assert counted == [f"{V1}/"]
    assert client.post(f"{V1}/openapi.json").status_code == 405
