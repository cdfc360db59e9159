"""What must be there before anybody can log in? A workspace, and one owner of it."""

import secrets

from django.contrib.auth import get_user_model
from django.db import transaction

from workflows.models import Flow, Membership, Workspace
from workflows.storage import flows, people, publishing

DEMO = "demo"
OWNER = "admin"


def ensure_owner() -> str | None:
    """Make the first login if there is none; its password, to be shown, or None."""
    users = get_user_model().objects
    workspace = people.main_workspace()
    if users.exists():
        return None
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    with transaction.atomic():
        user = users.create_user(OWNER, password=password)
        Membership.objects.create(workspace=workspace, user=user, role=Membership.Role.OWNER)
    return password


def still_works(password: str) -> bool:
    """Whether the first login has kept its first password."""
    user = get_user_model().objects.filter(username=OWNER, is_active=True).first()
    return user is not None and user.check_password(password)


def ensure_demo(documents: list[dict[str, object]]) -> int:
    """Make the demo workspace with these flows, published; how many were new. The people who own
    the main workspace own it too. A flow that somebody deleted from it doesn't come back."""
    workspace, made = Workspace.objects.get_or_create(slug=DEMO, defaults={"name": "Demo"})
    if not made:
        return 0
    for owner in Membership.objects.filter(
        workspace=people.main_workspace(), role=Membership.Role.OWNER
    ):
        Membership.objects.get_or_create(
            workspace=workspace, user=owner.user, defaults={"role": Membership.Role.OWNER}
        )
    for document in documents:
        flow = flows.import_document(workspace.pk, dict(document))
        publishing.publish(flow, flows.draft_document(workspace.pk, flow.slug) or {})
    return Flow.objects.filter(workspace=workspace).count()
