"""What does a person say to begin a replay? The form, and the wish that it makes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from workflows.models import Channel, Flow, Replay
from workflows.storage import channels, flowrows, replays
from workflows.storage.ranges import Selection
from workflows.storage.replays import Wish

MODES = (
    (
        "shadow",
        "In the shadow",
        "Nothing leaves: recorded replies answer. Then compare with what happened live.",
    ),
    (
        "skip_done",
        "Skip what is done",
        "What was sent with success isn't sent again; the rest is, under the same keys.",
    ),
    ("run", "For real", "Everything is sent again, under new idempotency keys."),
)
_MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class ReplayForm(forms.Form):
    flow = forms.CharField(max_length=60)
    version = forms.ChoiceField(choices=[("published", "published"), ("draft", "draft")])
    mode = forms.ChoiceField(choices=Replay.Mode.choices)
    channel = forms.CharField(max_length=140, required=False)
    node = forms.CharField(max_length=60, required=False)
    since = forms.DateTimeField(required=False, input_formats=_MOMENTS)
    until = forms.DateTimeField(required=False, input_formats=_MOMENTS)
    type = forms.CharField(max_length=255, required=False)
    key = forms.CharField(max_length=255, required=False)
    rate = forms.FloatField(required=False, min_value=0.01, max_value=replays.FASTEST)

    def wish(self, workspace_id: int, user_id: int, values: QueryDict) -> Wish:
        """What the valid form asks for. Raises `Refused`."""
        said: dict[str, Any] = self.cleaned_data
        channel, places = said["channel"], tuple[tuple[int, int], ...]()
        for name in ("trace", "event"):
            if chosen := values.getlist(name)[: replays.MOST_PLACES + 1]:
                as_traces = name == "trace"
                channel, places = replays.chosen(workspace_id, chosen, as_traces=as_traces)
        since, until = said["since"], said["until"]
        return Wish(
            mode=said["mode"],
            selection=Selection(
                since=since and since.timestamp(),
                until=until and until.timestamp(),
                type=said["type"],
                key=said["key"],
                places=places,
            ),
            draft=said["version"] == "draft",
            node=said["node"],
            channel=channel,
            rate=said["rate"],
            user_id=user_id,
        )


def first_values(values: QueryDict, flow: Flow) -> dict[str, Any]:
    """What the form begins with: a shadow run of the last day, or of what the address names."""
    named = bool(values.getlist("trace") or values.getlist("event"))
    day = (datetime.now(UTC) - timedelta(days=1)).strftime(_MOMENTS[0])
    return {
        "flow": flow.slug,
        "version": "published" if flow.published_id else "draft",
        "mode": "shadow",
        "channel": values.get("channel", ""),
        "since": "" if named else values.get("since", day),
        "type": values.get("type", ""),
        "key": values.get("key", ""),
    }


def producers_of(flow: Flow, version: str) -> list[tuple[str, str]]:
    """Id and name of each producer of the version to be run."""
    published = flow.published if version == "published" else None
    document = published.document if published else flowrows.draft(flow).document
    nodes = [node for node in document["nodes"] if str(node.get("type")).startswith("producer.")]
    return [(node["id"], node.get("name") or node["id"]) for node in nodes]


def with_producer(
    values: QueryDict | dict[str, Any], producers: list[tuple[str, str]]
) -> dict[str, Any]:
    """The values with a producer where one must be named: of several, the first, unless another
    one is named or the channel tells."""
    said = values.dict() if isinstance(values, QueryDict) else values
    ids = [node for node, _ in producers]
    tells = bool(said.get("channel") or said.get("trace") or said.get("event"))
    if said.get("node") not in ids:
        said = {**said, "node": "" if tells or len(ids) < 2 else ids[0]}
    return said


def channels_for(flow: Flow) -> Sequence[Channel]:
    """The channels to choose from: those that the flow reads first, then all others."""
    found = channels.of_workspace(flow.workspace_id)
    read = set(found.filter(subscription__flow=flow).values_list("pk", flat=True))
    return sorted(found, key=lambda one: (one.pk not in read, one.slug))
