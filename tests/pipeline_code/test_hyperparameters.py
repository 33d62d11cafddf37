"""Hyperparameters arrive as strings and are checked all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline_code import hyperparameters
from pipeline_code.contract import ContractError

if TYPE_CHECKING:
    from pipeline_code.model import Model


def test_values_get_their_types(flight_delay: Model) -> None:
    found = hyperparameters.parse(flight_delay.hyperparameters)

    assert found["max_depth"] == 6
    assert isinstance(found["max_depth"], int)
    assert isinstance(found["eta"], float)


def test_every_mistake_is_named(flight_delay: Model) -> None:
    given = {**flight_delay.hyperparameters, "eta": "fast", "max_depth": "6.5", "subsample": "2", "depth": "6"}
    del given["seed"]

    with pytest.raises(ContractError) as caught:
        hyperparameters.parse(given)

    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert "'depth' is unknown; known are eta, max_depth" in lines[0]
    assert "'seed' is missing; give a whole number from 0 to" in lines[1]
    assert "'eta' is 'fast'; give a number from 0.001 to 1" in lines[2]
    assert "'max_depth' is '6.5'; give a whole number from 1 to 16" in lines[3]
    assert "'subsample' is '2'; give a number from 0.1 to 1" in lines[4]


@pytest.mark.parametrize("value", ["nan", "inf", "-1", ""])
def test_numbers_outside_the_range_are_refused(flight_delay: Model, value: str) -> None:
    assert hyperparameters.problems({**flight_delay.hyperparameters, "lambda": value})
