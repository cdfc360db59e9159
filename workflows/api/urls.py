"""Where is each resource? Plural nouns under `/api/v1/`, no slash at the end."""

from django.urls import path

from workflows.api import (
    alarms,
    channels,
    deadletters,
    drafts,
    events,
    flows,
    nodes,
    people,
    publishing,
    traces,
    where,
)
from workflows.api.schema import SchemaView

urlpatterns = [
    path("flows", flows.FlowList.as_view()),
    path("flows/import", drafts.Import.as_view()),
    path("flows/<str:slug>", flows.OneFlow.as_view()),
    path("flows/<str:slug>/draft", drafts.DraftView.as_view()),
    path("flows/<str:slug>/publish", publishing.Publish.as_view()),
    path("flows/<str:slug>/versions", publishing.VersionList.as_view()),
    path("flows/<str:slug>/versions/<int:number>", publishing.OneVersion.as_view()),
    path("flows/<str:slug>/versions/<int:number>/publish", publishing.PublishVersion.as_view()),
    path("flows/<str:slug>/state", flows.FlowState.as_view()),
    path("flows/<str:slug>/totals", flows.FlowTotals.as_view()),
    path("flows/<str:slug>/export", drafts.Export.as_view()),
    path("nodes", nodes.NodeTypeList.as_view()),
    path("nodes/<str:node_type>", nodes.OneNodeType.as_view()),
    path("channels", channels.ChannelList.as_view()),
    path("channels/<str:slug>", channels.OneChannel.as_view()),
    path("events/<str:position>", events.OneEvent.as_view()),
    path("traces", traces.TraceList.as_view()),
    path("traces/<str:ref>", traces.OneTrace.as_view()),
    path("dead-letters", deadletters.DeadLetterList.as_view()),
    path("dead-letters/<int:number>", deadletters.OneDeadLetter.as_view()),
    path("dead-letters/<int:number>/redrive", deadletters.Redrive.as_view()),
    path("dead-letters/<int:number>/discard", deadletters.Discard.as_view()),
    path("where", where.Where.as_view()),
    path("alarms", alarms.AlarmList.as_view()),
    path("alarms/<int:number>/acknowledge", alarms.Acknowledge.as_view()),
    path("tokens", people.TokenList.as_view()),
    path("tokens/<int:number>", people.OneToken.as_view()),
    path("connections", people.ConnectionList.as_view()),
    path("connections/<str:name>", people.OneConnection.as_view()),
    path("workspaces", people.WorkspaceList.as_view()),
    path("me", people.Me.as_view()),
    path("schema", SchemaView.as_view(), name="schema"),
]
