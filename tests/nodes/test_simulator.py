"""Does a simulator keep its rate, and make the same events of the same moment?"""

import pytest
from pydantic import ValidationError

from workflows.engine.event import Event
from workflows.nodes.producers.simulator import Simulator

START = 1_700_000_000.0


def simulator(**config: object) -> Simulator:
    return Simulator(Simulator.Config.model_validate(config))


def events_of(node: Simulator, seconds: float) -> list[Event]:
    moment, made = START, []
    while (due := node.next_due(moment)) is not None and due <= START + seconds:
        assert due > moment
        made += node.make(due, "seed")
        moment = due
    return made


@pytest.mark.parametrize(
    ("rate", "seconds"), [(1, 20), (3, 20), (10, 5), (33.3, 5), (50, 5), (0.1, 100), (0.07, 200)]
)
def test_it_keeps_its_rate_without_gap_or_repeat(rate: float, seconds: float) -> None:
    made = events_of(simulator(rate=rate), seconds)
    assert abs(len(made) - rate * seconds) <= max(1, rate * 0.1)
    numbers = [event.data["order"] for event in made]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len({event.id for event in made}) == len(made)


def test_the_same_moment_makes_the_same_events() -> None:
    node = simulator(rate=20)
    assert node.make(START + 0.1, "a") == node.make(START + 0.1, "a")
    assert node.make(START + 0.1, "a") != node.make(START + 0.1, "b")


def test_the_data_is_filled_in_with_its_types() -> None:
    data = {
        "kind": '${["a", "b"][int(rand * 2)]}',
        "amount": "${math.round(rand2 * 100) / 10.0}",
        "same": "${rand == rand2 || rand2 == rand3}",
        "at": "${now}",
        "fixed": [1, None, "text"],
    }
    for event in events_of(simulator(data=data), 10):
        assert event.data["kind"] in ("a", "b")
        assert 0 <= event.data["amount"] <= 10
        assert event.data["same"] is False
        assert event.data["at"] == event.time
        assert event.data["fixed"] == [1, None, "text"]


@pytest.mark.parametrize("config", [{"rate": 51}, {"rate": 0}, {"data": {"x": "${event.id}"}}])
def test_what_can_not_be_made_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        simulator(**config)
