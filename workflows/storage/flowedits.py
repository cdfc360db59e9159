"""How is something of a draft changed without undoing what somebody is drawing?"""

from collections.abc import Mapping
from typing import Any

from workflows.models import Draft, Flow
from workflows.storage import flows

_ATTEMPTS = 5


def change(flow: Flow, changes: Mapping[str, Any], user_id: int | None) -> None:
    """Set `name`, `description` (which the flow has too) or `settings` in the draft. Raises
    `flows.Changed` when somebody keeps saving the draft in between."""
    for _ in range(_ATTEMPTS - 1):
        try:
            _save(flow, changes, user_id)
        except flows.Changed:
            continue
        return
    _save(flow, changes, user_id)


def _save(flow: Flow, changes: Mapping[str, Any], user_id: int | None) -> None:
    draft = Draft.objects.get(flow=flow)
    flows.save_draft(flow, {**draft.document, **changes}, draft.revision, user_id)
