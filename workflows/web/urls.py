"""Where is each page? Grouped by noun; everything of a workspace lies under `/w/{workspace}/`."""

from django.urls import include, path

from workflows.web import (
    account,
    alarms,
    channels,
    deadletters,
    destinations,
    editor,
    events,
    flows,
    flowsettings,
    health,
    inspector,
    lanes,
    members,
    redrives,
    replays,
    search,
    settings,
    traces,
    triggers,
    trying,
    versions,
    where,
)

_FLOWS = [
    path("flows", flows.flow_list, name="flows"),
    path("flows/new", flows.new, name="new_flow"),
    path("flows/import", flows.import_file, name="import"),
    path("flows/<slug:slug>", editor.flow, name="flow"),
    path("flows/<slug:slug>/inspector", inspector.inspector, name="inspector"),
    path("flows/<slug:slug>/try", trying.try_flow, name="try"),
    path("flows/<slug:slug>/versions", versions.version_list, name="versions"),
    path(
        "flows/<slug:slug>/versions/<int:number>/publish",
        versions.publish_again,
        name="publish_again",
    ),
    path("flows/<slug:slug>/trigger", triggers.trigger, name="trigger"),
    path("flows/<slug:slug>/rejected", triggers.rejected, name="rejected"),
    path("flows/<slug:slug>/waiting", lanes.lane_list, name="lanes"),
    path("flows/<slug:slug>/waiting/<int:number>/park", lanes.park, name="park_head"),
    path("flows/<slug:slug>/waiting/<int:number>/skip", lanes.skip, name="skip_head"),
    path("flows/<slug:slug>/alarms", alarms.acknowledge, name="acknowledge"),
    path("flows/<slug:slug>/settings", flowsettings.settings, name="flow_settings"),
    path("flows/<slug:slug>/delete", flows.delete, name="delete"),
]
_RUNS = [
    path("traces", traces.trace_list, name="traces"),
    path("traces/<str:ref>", traces.trace, name="trace"),
    path("events", events.event_list, name="events"),
    path("events/<str:position>", events.event, name="event"),
    path("replays", replays.replay_list, name="replays"),
    path("replays/new", replays.new, name="new_replay"),
    path("replays/<int:number>", replays.replay, name="replay"),
    path("replays/<int:number>/cancel", replays.cancel, name="cancel_replay"),
    path(
        "replays/<int:number>/differences/<int:which>",
        replays.difference,
        name="replay_difference",
    ),
    path("where", where.where, name="where"),
    path("channels", channels.channel_list, name="channels"),
    path("channels/new", channels.new, name="new_channel"),
    path("channels/<str:slug>", channels.settings, name="channel"),
    path("dead-letters", deadletters.letter_list, name="dead_letters"),
    path("dead-letters/<int:number>", deadletters.letter, name="dead_letter"),
    path("dead-letters/<int:number>/redrive", deadletters.redrive, name="redrive"),
    path("dead-letters/<int:number>/discard", deadletters.discard, name="discard"),
    path("dead-letters/<int:number>/edit", deadletters.edit, name="edit_letter"),
    path("dead-letters/redrive", redrives.redrive_many, name="redrive_many"),
    path("dead-letters/discard", redrives.discard_many, name="discard_many"),
    path("dead-letters/runs", redrives.run_list, name="redrives"),
    path("dead-letters/runs/<int:number>", redrives.run, name="redrive_run"),
    path("dead-letters/runs/<int:number>/cancel", redrives.cancel, name="cancel_redrive"),
]
_SETTINGS = [
    path("settings", settings.settings, name="settings"),
    path("settings/tokens", settings.tokens, name="tokens"),
    path("settings/tokens/<int:number>/revoke", settings.revoke_token, name="revoke_token"),
    path("settings/connections", settings.connections, name="connections"),
    path(
        "settings/connections/<slug:name>/delete",
        settings.delete_connection,
        name="delete_connection",
    ),
    path("settings/destinations", destinations.destinations, name="destinations"),
    path("settings/destinations/try", destinations.try_now, name="try_destination"),
    path("settings/members", members.members, name="members"),
    path("settings/members/add", members.add, name="add_member"),
    path("settings/members/<int:number>/role", members.change_role, name="change_role"),
    path("settings/members/<int:number>/remove", members.remove, name="remove_member"),
    path("settings/appearance", settings.appearance, name="appearance"),
]

urlpatterns = [
    path("", account.home, name="home"),
    path("login", account.login, name="login"),
    path("logout", account.logout, name="logout"),
    path("password", account.password, name="password"),
    path(
        "w/<slug:workspace>/",
        include(
            [
                *_FLOWS,
                *_RUNS,
                *_SETTINGS,
                path("search", search.search, name="search"),
                path("health", health.health, name="health"),
            ]
        ),
    ),
]
