"""Finds the steps: every file of this folder declares one `STEP` and runs it with `main`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from pipeline_code.contract import ContractError, Run, Step


def steps() -> tuple[Step, ...]:
    """All declared steps, by name; raises ContractError naming every file that is not a step."""
    found, problems = [], []
    for name in names():
        try:
            found.append(load(name)[0])
        except ContractError as error:
            problems.append(str(error))
    if problems:
        raise ContractError("\n".join(problems))
    return tuple(found)


def load(name: str) -> tuple[Step, Run]:
    """One step and its `main`."""
    if name not in names():
        raise ContractError(f"no step {name!r}; steps are {', '.join(names())} (one file each in steps/)")
    module = import_module(f"{__name__}.{name}")
    step: Any = getattr(module, "STEP", None)
    main: Any = getattr(module, "main", None)
    problems = []
    if not isinstance(step, Step):
        problems.append(f"steps/{name}.py: no STEP; declare STEP = Step(name={name!r}, ...)")
    elif step.name != name:
        problems.append(f"steps/{name}.py: STEP is named {step.name!r}; name it {name!r}, as the file")
    if not callable(main):
        problems.append(f"steps/{name}.py: no main; define main(job: Job) -> None")
    if problems:
        raise ContractError("\n".join(problems))
    return step, main


def training_names() -> list[str]:
    """The steps that are training jobs; only these may run on spot capacity."""
    return [step.name for step in steps() if step.kind == "Training"]


def names() -> list[str]:
    """The steps there are, by file name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))
