"""Steps are found by listing their folder; a file that is not a step is an error, not a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline_code import steps
from pipeline_code.contract import ContractError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_steps_are_the_files() -> None:
    assert [step.name for step in steps.steps()] == ["evaluate", "package", "prepare", "record", "train"]


def test_a_step_comes_with_its_main() -> None:
    step, main = steps.load("prepare")

    assert step.writes == ("dataset", "snapshot", "quarantine")
    assert callable(main)


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(ContractError, match="no step 'prepair'; steps are evaluate, package, prepare, record, train"):
        steps.load("prepair")


def test_every_file_that_is_no_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = "from pipeline_code.contract import Step\nSTEP = Step('other', 'Processing', (), ())\n"
    (tmp_path / "empty_step.py").write_text("")
    (tmp_path / "misnamed_step.py").write_text(f"{step}def main(job): ...\n")
    monkeypatch.setattr(steps, "__path__", [str(tmp_path)])

    with pytest.raises(ContractError) as caught:
        steps.steps()

    assert str(caught.value).splitlines() == [
        "steps/empty_step.py: no STEP; declare STEP = Step(name='empty_step', ...)",
        "steps/empty_step.py: no main; define main(job: Job) -> None",
        "steps/misnamed_step.py: STEP is named 'other'; name it 'misnamed_step', as the file",
    ]
