"""Hand each event to a Celery task of another system.

The task is sent by name to one of the brokers that the site knows (`EVENTFLOW_TASK_BROKERS`); its
code need not be here. Texts in the arguments are templates. The task's id is the same for every
attempt. Delivered means that the broker has the task, not that it has run.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from workflows.engine.calls import CallConfig
from workflows.engine.effects import CeleryTask, Effect, Reply
from workflows.engine.event import Event
from workflows.engine.expression import event_env
from workflows.engine.fields import json_template
from workflows.engine.node import (
    Consumer,
    Context,
    Delivered,
    Example,
    Failed,
    Result,
)
from workflows.engine.template import JsonTemplate


class Task(Consumer):
    label, icon = "Celery task", "list-ordered"

    class Config(CallConfig):
        task: str = Field(
            pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$",
            max_length=200,
            description="The task's full name.",
            examples=["billing.tasks.book"],
        )
        broker: str = Field(
            pattern=r"^[a-z0-9][a-z0-9_-]*$",
            max_length=64,
            description="The broker's name in EVENTFLOW_TASK_BROKERS.",
            examples=["billing"],
        )
        args: Annotated[list[Any], json_template(event_env())] = Field(
            default=["${event.data}"],
            max_length=50,
            description="The arguments as a JSON template.",
            json_schema_extra={"widget": "json"},
        )
        kwargs: Annotated[dict[str, Any], json_template(event_env())] = Field(
            default={},
            max_length=50,
            description="The named arguments as a JSON template.",
            json_schema_extra={"widget": "json"},
        )
        queue: str = Field(
            default="", max_length=200, description="The queue; empty: Celery's usual one."
        )

    config: Config
    examples = (
        Example(
            title="Book an order",
            config={"task": "billing.tasks.book", "broker": "billing"},
            given=[{"order": 7}],
            replies=[{"ok": True, "status": 202, "body": "0f0e"}],
            expect={
                "celery_task": [
                    {"name": "billing.tasks.book", "connection": "billing", "args": [{"order": 7}]}
                ],
                "delivered": [{"order": 7}],
            },
        ),
        Example(
            title="With named arguments",
            config={
                "task": "crm.greet",
                "broker": "crm",
                "args": [],
                "kwargs": {"customer": "${event.data.id}", "text": "Hello ${event.data.name}"},
                "queue": "mails",
            },
            given=[{"id": 7, "name": "Ada"}],
            expect={
                "celery_task": [
                    {"args": [], "kwargs": {"customer": 7, "text": "Hello Ada"}, "queue": "mails"}
                ]
            },
        ),
    )

    @cached_property
    def _args(self) -> JsonTemplate:
        return JsonTemplate(self.config.args, event_env())

    @cached_property
    def _kwargs(self) -> JsonTemplate:
        return JsonTemplate(self.config.kwargs, event_env())

    def summary(self) -> str:
        return f"{self.config.task} by {self.config.broker}"

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        variables = ctx.variables(event)
        yield CeleryTask(
            name=self.config.task,
            args=self._args.value(variables),
            kwargs=self._kwargs.value(variables),
            queue=self.config.queue,
            connection=self.config.broker,
        )

    def settle(self, event: Event, effect: Effect, reply: Reply, ctx: Context) -> Iterator[Result]:
        if reply.error:
            again = reply.error in ("timeout", "connection")
            yield Failed(reply.error, reply.message or reply.error, retry=again)
        else:
            yield Delivered({"task_id": reply.body} if reply.body else None)
