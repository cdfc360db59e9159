"""Which credentials may a workspace's flows name? Their secrets go in sealed and never come out."""

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from workflows.models import Connection
from workflows.storage.seal import seal


def of_workspace(workspace_id: int) -> QuerySet[Connection]:
    """The connections of a workspace by name, without their secrets."""
    return Connection.objects.filter(workspace_id=workspace_id).defer("sealed").order_by("name")


def names(workspace_id: int) -> tuple[str, ...]:
    """The names of a workspace's connections, in order."""
    return tuple(of_workspace(workspace_id).values_list("name", flat=True))


def find(workspace_id: int, name: str) -> Connection | None:
    """The connection of that name, without its secret."""
    return of_workspace(workspace_id).filter(name=name).first()


def create(workspace_id: int, name: str, secret: str, note: str) -> Connection | None:
    """A new connection; None when the name is taken."""
    try:
        with transaction.atomic():
            return Connection.objects.create(
                workspace_id=workspace_id, name=name, sealed=seal(secret), note=note
            )
    except IntegrityError:
        return None


def keep(workspace_id: int, name: str, secret: str, note: str) -> None:
    """Give the connection of that name this secret and note; it is made when it is missing."""
    Connection.objects.update_or_create(
        workspace_id=workspace_id, name=name, defaults={"sealed": seal(secret), "note": note}
    )


def delete(workspace_id: int, name: str) -> bool:
    """Whether there was a connection of that name; now there is none."""
    return bool(Connection.objects.filter(workspace_id=workspace_id, name=name).delete()[0])
