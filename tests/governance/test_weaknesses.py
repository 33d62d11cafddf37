"""Each seeded weakness is caught by a gate that has a name; the page of them is what the gates find."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gates import CHECK, GATES, OTHERS, REFUSALS, Ground, checked, refusals
from iam_deployed import Cloud
from iam_simulator import Simulator
from outsiders import synthesized
from scanners import scanned
from weaknesses import WEAKNESSES, Change

from stacks.config import ROOT

PAGE = ROOT / "docs/governance/weaknesses.md"
NAMES = (*GATES, *OTHERS)

Json = dict[str, Any]
NOTHING = {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}
Caught = dict[str, dict[str, list[str]]]
"""By weakness and gate: what was found."""


@pytest.fixture(scope="module")
def ground(cloud: Cloud, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(cloud, Cloud(synthesized(tmp_path_factory.mktemp("within"))), simulator)


@pytest.fixture(scope="module")
def caught(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Caught:
    weak = {each.name: weakened(ground, each.change) for each in WEAKNESSES if each.change}
    said = scans(ground, weak, tmp_path_factory.mktemp("scanned"))
    found: Caught = {}
    for each in WEAKNESSES:
        found[each.name] = {}
        if each.change:
            gates = {name: list(gate(weak[each.name])) for name, (_, gate) in GATES.items()}
            found[each.name] = {**gates, **said[each.name]}
        if each.denial:
            found[each.name][REFUSALS] = refusals(each.denial, ground)
        if each.setting:
            folder = tmp_path_factory.mktemp("settings") / "environments"
            found[each.name][CHECK] = checked(*each.setting, folder)
    return found


def weakened(ground: Ground, change: Change) -> Ground:
    return replace(ground, cloud=ground.cloud.changed(change), within=ground.within.changed(change))


def scans(ground: Ground, weak: dict[str, Ground], folder: Path) -> dict[str, dict[str, list[str]]]:
    """What scanners say of what each changed, and do not say of it as it is."""
    pairs: dict[str, Json] = {}
    for number, on in enumerate(weak.values()):
        before, after = differing(ground.cloud.templates(), on.cloud.templates())
        if after is None:
            before, after = differing(ground.within.templates(), on.within.templates())
        assert after is not None, f"{list(weak)[number]} changes nothing"
        pairs |= {f"before-{number}": before, f"after-{number}": after}
    said = scanned(pairs, folder)
    found: dict[str, dict[str, list[str]]] = {name: {} for name in weak}
    for number, name in enumerate(weak):
        for scanner, rule, resource in sorted(said[f"after-{number}"] - said[f"before-{number}"]):
            found[name].setdefault(scanner, []).append(f"{rule} {resource}")
    return found


def differing(before: dict[str, Json], after: dict[str, Json]) -> tuple[Json, Json | None]:
    """The resources of a stack that differ, and what those refer to; as they were, and as they are."""
    for name, template in after.items():
        if template != before[name]:
            was, now = before[name]["Resources"], template["Resources"]
            ids = {each for each in now if now[each] != was.get(each)}
            told = {each: json.dumps([was.get(each), now[each]]) for each in now}
            while more := {each for each in now if any(f'"{each}"' in told[one] for one in ids)} - ids:
                ids |= more
            rest = {key: value for key, value in template.items() if key in {"Conditions", "Mappings", "Parameters"}}
            return (
                {**rest, "Resources": {each: was[each] for each in ids if each in was} or NOTHING},
                {**rest, "Resources": {each: now[each] for each in ids}},
            )
    return {}, None


def table(caught: Caught) -> str:
    """The page's table."""
    lines = [f"| weakness | {' | '.join(NAMES)} |", f"|---|{'---|' * len(NAMES)}"]
    lines += [
        f"| {name} | {' | '.join('caught' if gates.get(each) else '' for each in NAMES)} |"
        for name, gates in caught.items()
    ]
    return "\n".join(lines)


def test_no_weakness_is_uncaught(caught: Caught) -> None:
    sys.stdout.write(f"{table(caught)}\n")

    assert [name for name, gates in caught.items() if not any(gates.values())] == []
    assert len(caught) == len(WEAKNESSES) >= 27


def test_the_platform_itself_passes_every_gate(ground: Ground) -> None:
    """A gate that found something of its own would catch every weakness."""
    assert {name: found for name, (_, gate) in GATES.items() if (found := list(gate(ground)))} == {}
    assert refusals("none of them", ground) == []


def test_each_gate_is_needed(caught: Caught) -> None:
    assert {name for gates in caught.values() for name, found in gates.items() if found} == set(NAMES)


def test_the_page_is_what_the_gates_find(caught: Caught, tmp_path: Path) -> None:
    said = "\n".join(line for line in PAGE.read_text().splitlines() if line.startswith(("| ", "|---")))
    now = table(caught)
    (tmp_path / "table.md").write_text(now + "\n")

    assert said.endswith(now), f"{PAGE} is of another day; its table is now {tmp_path / 'table.md'}"


@pytest.mark.parametrize("name", NAMES)
def test_each_gate_has_a_test_that_holds_the_platform_to_it(name: str) -> None:
    file = {**OTHERS, **{gate: file for gate, (file, _) in GATES.items()}}[name]

    assert (Path(__file__).parent / file).is_file()
