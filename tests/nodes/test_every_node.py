"""Does every node type keep the contract: documented, checked, and doing what its examples say?"""

import re

import pytest
from pydantic import BaseModel

from workflows.engine.node import Example, Node
from workflows.engine.testing import mismatches, run_example
from workflows.nodes.registry import catalog, node_types

TYPES = list(node_types().items())
EXAMPLES = [
    pytest.param(node_type, example, id=f"{type_id}: {example.title}")
    for type_id, node_type in TYPES
    for example in node_type.examples
]


@pytest.mark.parametrize(("node_type", "example"), EXAMPLES)
def test_an_example_comes_out_as_told(node_type: type[Node], example: Example) -> None:
    assert mismatches(example, run_example(node_type, example)) == []


@pytest.mark.parametrize(("type_id", "node_type"), TYPES)
def test_it_is_documented(type_id: str, node_type: type[Node]) -> None:
    entry = next(item for item in catalog() if item["type"] == type_id)
    assert entry["summary"].endswith(".")
    assert entry["summary"] != entry["help"], "say more than one sentence"
    assert node_type.label
    assert re.fullmatch(r"[a-z][a-z0-9-]*", node_type.icon)
    assert len(node_type.examples) >= 2
    assert all(port.help.endswith(".") for port in node_type.outputs)


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found += _models(part)
    return found


@pytest.mark.parametrize(("type_id", "node_type"), TYPES)
def test_every_field_is_described_and_a_stranger_is_refused(
    type_id: str, node_type: type[Node]
) -> None:
    for model in _models(node_type.Config):
        assert model.model_config["extra"] == "forbid"
        for name, field in model.model_fields.items():
            assert field.description, f"{type_id}: {name}"
            assert field.description.endswith("."), f"{type_id}: {name}"


@pytest.mark.parametrize(("type_id", "node_type"), TYPES)
def test_its_card_has_one_line(type_id: str, node_type: type[Node]) -> None:
    for example in node_type.examples:
        node = node_type(node_type.Config.model_validate(example.config))
        assert "\n" not in node.summary()
        assert node.check() == []
        assert len({port.name for port in node.ports()}) == len(node.ports())
