"""Which kinds of field do the configurations of node types share?

A kind says how the inspector shows the field (`widget`) and checks it when it is saved. A draft may
be read leniently (`LENIENT` as validation context): then its expressions may still be unfinished.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo

from workflows.engine.expression import Env, compile_expression, compile_key
from workflows.engine.template import JsonTemplate, compile_template

LENIENT = {"lenient": True}


def is_lenient(info: ValidationInfo) -> bool:
    """Whether unfinished expressions are let through."""
    return bool(info.context and info.context.get("lenient"))


def _condition(source: str, info: ValidationInfo) -> str:
    if not is_lenient(info):
        compile_expression(source, want="bool")
    return source


def _expression(source: str, info: ValidationInfo) -> str:
    if not is_lenient(info):
        compile_expression(source)
    return source


def _optional(source: str, info: ValidationInfo) -> str:
    return _expression(source, info) if source else source


def _key(source: str, info: ValidationInfo) -> str:
    if not is_lenient(info):
        compile_key(source)
    return source


def _optional_key(source: str, info: ValidationInfo) -> str:
    return _key(source, info) if source else source


def _data_path(path: str) -> str:
    parts = path.split(".")
    if parts[0] != "data" or not all(parts) or len(parts) > 16:
        raise ValueError(f'"{path}" must be data, or a path like data.amount.')
    return path


def _optional_data_path(path: str) -> str:
    return _data_path(path) if path else path


def _template(source: str, info: ValidationInfo) -> str:
    if not is_lenient(info):
        compile_template(source)
    return source


def json_template(env: Env) -> AfterValidator:
    """Checks a JSON value whose texts are templates over the names of `env`."""

    def check(source: Any, info: ValidationInfo) -> Any:
        if not is_lenient(info):
            JsonTemplate(source, env)
        return source

    return AfterValidator(check)


def widget(name: str, **more: Any) -> Any:
    """Tells the inspector how to show a field."""
    return Field(json_schema_extra={"widget": name, **more})


ConditionText = Annotated[str, AfterValidator(_condition), widget("expression", want="bool")]
ExpressionText = Annotated[str, AfterValidator(_expression), widget("expression", want="any")]
OptionalExpressionText = Annotated[
    str, AfterValidator(_optional), widget("expression", want="any")
]  # fmt: skip
# Without `now`: names what belongs together, also when the event comes back later.
KeyText = Annotated[str, AfterValidator(_key), widget("expression", want="any")]
OptionalKeyText = Annotated[
    str,
    StringConstraints(max_length=1_000),
    AfterValidator(_optional_key),
    widget("expression", want="any"),
]
DataPath = Annotated[str, StringConstraints(max_length=200), AfterValidator(_data_path)]
OptionalDataPath = Annotated[
    str, StringConstraints(max_length=200), AfterValidator(_optional_data_path)
]
TemplateText = Annotated[str, AfterValidator(_template), widget("template")]
LongTemplateText = Annotated[str, AfterValidator(_template), widget("template", lines=6)]

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=64)]
ChannelSlug = Annotated[Slug, widget("channel")]
ConnectionName = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9_-]*[a-z0-9])?)?$", max_length=64),
    widget("connection"),
]  # fmt: skip
