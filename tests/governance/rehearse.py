"""`make rehearse-governance`: the story of governance, its decisions made by the tests' IAM simulator.

The simulator is for development only (AGPL, a process of its own), so the story, which is the product's, gets a
function that decides and does not know it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from iam_deployed import Role
from iam_simulator import Question, Simulator

import cli
from commands.choice import console
from commands.rehearse import writable
from rehearsal import governance_facts, governance_story
from rehearsal.deeds import APPROVER, APPROVERS_IN_STUDIO, AUTHOR, AUTHORS_IN_STUDIO, OTHER, SCIENTIST
from rehearsal.governance_story import GovernancePlan
from rehearsal.people import Answer, Asked, Reason
from stacks.baseline_names import BaselineNames
from stacks.config import ROOT, load
from stacks.names import Names, title

if TYPE_CHECKING:
    from rehearsal.people import Decide

MODEL = "flight_delay"
KINDS = {
    "identity": "own policy",
    "pb": "boundary",
    "rcp": "RCP",
    "resource": "the resource's policy",
    "scp": "SCP",
    "vpce": "endpoint policy",
}


def plan(model: str = MODEL) -> GovernancePlan:
    """The story of the environment that trains a model."""
    config = load()
    environment = next(each for each in config.environments if each.training)
    names, baseline = Names.of(config.platform, environment), BaselineNames(config.platform.name)
    return GovernancePlan(
        root=ROOT,
        platform=config.platform.name,
        environment=environment.name,
        region=environment.region,
        group=names.model_package_group(model),
        pipeline=names.pipeline(model),
        roles={
            SCIENTIST: names.persona("data_scientist"),
            APPROVER: names.persona("approver"),
            AUTHORS_IN_STUDIO: names.in_studio("data_scientist", AUTHOR),
            APPROVERS_IN_STUDIO: names.in_studio("approver", OTHER),
        },
        studio={AUTHOR: "data_scientist", OTHER: "approver"},
        stack_sets=(baseline.stack_set, baseline.bootstrap_stack_set),
        boundary=baseline.boundary,
        key_alias=baseline.key_alias,
        rooms=("Personas", "Studio", "Budgets", f"Registry{title(model)}"),
    )


def decider(simulator: Simulator) -> Decide:
    """Decides as IAM does, and says which statements refuse; what merely allows nothing counts only if none does."""
    known: dict[int, tuple[Any, Role]] = {}

    def decide(asked: Asked) -> Answer:
        held = asked.role
        documents = tuple(held.policies.values())
        if id(held) not in known:
            known[id(held)] = held, Role(held.name, held.arn, {}, documents, held.boundary)
        scps, rcps = asked.above.service, asked.above.resource
        question = Question(
            known[id(held)][1],
            asked.action,
            asked.resource,
            dict(asked.context),
            asked.resource_policy,
            scps=tuple(scps.values()),
            rcps=tuple(rcps.values()),
            owner=held.account,
        )
        allowed, denials = simulator.explained(question)
        named = {f"scp{n}": name for n, name in enumerate(scps)} | {f"rcp{n}": name for n, name in enumerate(rcps)}
        explicit = [each for each in denials if each["denialType"] == "Explicit"]
        return Answer(allowed, tuple(_reason(each, named) for each in explicit or denials))

    return decide


def _reason(denial: dict[str, Any], named: dict[str, str]) -> Reason:
    kind = KINDS[denial["policyType"]]
    if denial["denialType"] == "Implicit":
        return Reason(kind)
    statement = denial.get("statementId") or f"statement {denial['statementIndex']}"
    return Reason(kind, named.get(denial.get("policyIdentifier", ""), ""), statement)


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the facts of the run to this file.")] = None,
) -> None:
    """Roll governance out to an organization in an embedded AWS, and tell who may what: no account, no Docker."""
    if json_file:
        writable(json_file)
    simulator = Simulator()
    try:
        with governance_story.start(plan(), decider(simulator), tell=console.print) as story:
            story.run()
            found = governance_facts.facts(story)
    finally:
        simulator.end()
    for table in governance_facts.tables(found):
        console.print(table)
    if json_file:
        json_file.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    cli.app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.app.command()(main)
    cli.main()
