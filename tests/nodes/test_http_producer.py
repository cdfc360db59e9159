"""Are webhooks checked and named as their senders mean it?"""

import hashlib
import hmac

import pytest

from workflows.nodes.producers.http import Http

BODY = b'{"action": "opened"}'
SIGNED = "sha256=" + hmac.new(b"s3cret", BODY, hashlib.sha256).hexdigest()


def producer(**config: str) -> Http:
    return Http(Http.Config.model_validate(config))


@pytest.mark.parametrize(
    ("signature", "headers", "secret", "refused"),
    [
        ("none", {}, None, None),
        ("token", {"authorization": "Bearer s3cret"}, "s3cret", None),
        ("token", {"authorization": "s3cret"}, "s3cret", None),
        ("token", {"authorization": "Bearer other"}, "s3cret", "authorization is wrong"),
        ("token", {"authorization": "Bearer sécret"}, "s3cret", "authorization is wrong"),
        ("token", {}, "s3cret", "authorization is missing"),
        ("token", {"authorization": ""}, "", "holds no secret"),
        ("token", {"authorization": "Bearer x"}, None, "holds no secret"),
        ("github", {"x-hub-signature-256": SIGNED}, "s3cret", None),
        ("github", {"x-hub-signature-256": SIGNED}, "other", "is wrong"),
        ("github", {"x-hub-signature-256": SIGNED[7:]}, "s3cret", "is wrong"),
        ("github", {}, "s3cret", "is missing"),
    ],
)
def test_a_webhook_is_verified(
    signature: str, headers: dict[str, str], secret: str | None, refused: str | None
) -> None:
    reason = producer(signature=signature, secret="hook").verify(headers, BODY, secret)
    assert (reason is None) if refused is None else (reason is not None and refused in reason)


def test_a_changed_body_does_not_match_its_signature() -> None:
    github = producer(signature="github", secret="hook")
    headers = {"x-hub-signature-256": SIGNED}
    assert github.verify(headers, BODY + b" ", "s3cret") is not None


@pytest.mark.parametrize(
    ("config", "headers", "found"),
    [
        ({}, {"x-github-event": "push"}, {}),
        ({"event_type": "order"}, {}, {"type": "order"}),
        (
            {"signature": "github", "secret": "h", "event_type": "other"},
            {"x-github-event": "push", "x-github-delivery": "72d3"},
            {"type": "github.push", "id": "72d3"},
        ),
        (
            {"type_header": "X-Topic", "id_header": "X-Id", "event_type": "order"},
            {"x-topic": "orders/create", "x-id": "9"},
            {"type": "orders/create", "id": "9"},
        ),
    ],
)
def test_headers_name_the_event(
    config: dict[str, str], headers: dict[str, str], found: dict[str, str]
) -> None:
    assert producer(**config).identify(headers) == found


def test_a_signature_needs_a_secret() -> None:
    assert producer(signature="github").check() == [
        ("secret", "Choose the connection that holds the secret.")
    ]
