"""What does the page of a run over dead letters say about those that it has not run?"""

from collections.abc import Callable

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import World
from workflows.models import Redrive


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("running", "1 not taken up"),
        ("cancelled", "1 not taken up"),
        ("done", "1 closed by others meanwhile"),
    ],
)
def test_a_run_says_what_became_of_the_letters_that_it_left(
    world: World, browser: Callable[[str], Client], state: str, said: str
) -> None:
    run = Redrive.objects.create(
        workspace=make.workspace(),
        by="nobody",
        wanted={},
        total=5,
        done=4,
        ok=4,
        state=state,
        bound=0,
        due_at=0.0,
        begun_at=0.0,
        ended_at=None if state == "running" else 1.0,
    )
    page = browser("operator").get(f"/w/main/dead-letters/runs/{run.pk}").content.decode()
    assert said in page
