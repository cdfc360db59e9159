"""How does a program change a flow's name without undoing what somebody is drawing?"""

from workflows.models import Draft, Flow
from workflows.storage import flows

_ATTEMPTS = 5


def rename(flow: Flow, changes: dict[str, str], user_id: int | None) -> None:
    """Set `name` or `description`, in the draft too, which holds both. Raises `flows.Changed` when
    somebody keeps saving the draft in between."""
    for _ in range(_ATTEMPTS - 1):
        try:
            _save(flow, changes, user_id)
        except flows.Changed:
            continue
        return
    _save(flow, changes, user_id)


def _save(flow: Flow, changes: dict[str, str], user_id: int | None) -> None:
    draft = Draft.objects.get(flow=flow)
    flows.save_draft(flow, {**draft.document, **changes}, draft.revision, user_id)
