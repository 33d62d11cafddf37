"""Every gate by its name: what it finds in what the templates deploy. Tests hold the platform to each by itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deployed import buckets, logs, network, serving
from derived import isolation, rights
from escalation import Search, climbs
from forbidden import let_through, perimeter, statements
from iam_deployed import Cloud
from iam_simulator import Simulator
from limits import beyond, unlimited, wild
from matrix import read, wrong
from outsiders import outsiders
from trust import accounts, deputies, in_the_clear, let_in, people, strangers

from stacks.config import ROOT, ConfigError, load


@dataclass(frozen=True)
class Ground:
    """Everything the app deploys, and the same of a platform that names its organization."""

    cloud: Cloud
    within: Cloud
    simulator: Simulator


def _trust(on: Ground) -> Iterator[str]:
    yield from deputies(on.cloud, on.simulator)
    yield from accounts(on.cloud)
    yield from people(on.cloud)
    yield from let_in(on.cloud)


def _limits(on: Ground) -> Iterator[str]:
    yield from unlimited(on.cloud)
    yield from beyond(on.cloud, on.simulator)


def _strangers(on: Ground) -> Iterator[str]:
    yield from strangers(on.cloud, on.simulator)
    yield from in_the_clear(on.cloud, on.simulator)


def _deployed(on: Ground) -> Iterator[str]:
    for promise in (buckets, logs, network, serving):
        yield from promise(on.cloud)


def _jobs(on: Ground) -> Iterator[str]:
    yield from rights(on.cloud)
    yield from isolation(on.cloud)


GATES: dict[str, tuple[str, Callable[[Ground], Iterator[str]]]] = {
    "who may what": ("test_who_may_what.py", lambda on: wrong(read(), on.cloud, on.simulator)),
    "escalation search": ("test_escalation.py", lambda on: climbs(Search(on.cloud, on.simulator))),
    "boundary": ("test_escalation.py", _limits),
    "wildcard lint": ("test_who_may_what.py", lambda on: wild(on.cloud)),
    "trust": ("test_trust.py", _trust),
    "strangers": ("test_trust.py", _strangers),
    "organization": ("test_organization.py", lambda on: outsiders(on.within, on.simulator)),
    "jobs' rights": ("test_jobs_rights.py", _jobs),
    "deployed": ("test_deployed.py", _deployed),
}
"""By name: the test that holds the platform to it, and what it finds."""

REFUSALS, CHECK = "refusals", "slipway check"
OTHERS = {
    "Guard rules": "../stacks/test_validation.py",
    "cdk-nag": "../stacks/test_validation.py",
    REFUSALS: "test_refusals.py",
    CHECK: "../stacks/test_config.py",
}
"""Gates that look at something else than what is deployed."""


def refusals(without: str, on: Ground) -> list[str]:
    """What the organization's policies let through if one denial were not made."""
    made = [(kind, denial) for kind, denial in statements(perimeter()) if denial.sid != without]
    return list(let_through(made, on.cloud, on.simulator))


def checked(file: str, old: str, new: str, folder: Path) -> list[str]:
    """What `slipway check` says of the environments with another setting."""
    shutil.copytree(ROOT / "environments", folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text, f"{file} does not say {old!r}"
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        load(folder)
    except ConfigError as error:
        return [str(error)]
    return []
