"""`make rehearse-governance`, once: what it tells is what stands, and what it decides follows from what stands."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from iam_simulator import Simulator
from rehearse import decider, plan
from rich.console import Console

from rehearsal import governance_facts, governance_story
from rehearsal.deeds import APPROVER, SCIENTIST, Version, live, past_the_guardrails, past_their_role
from rehearsal.governance_story import (
    ADMINISTRATOR,
    BELOW,
    LATE,
    SERVES,
    STRANGE,
    TRAINS,
    UNIT,
    Governance,
    GovernanceError,
)
from rehearsal.people import Answer, People, PeopleError
from rehearsal.rights import Above, above, held
from stacks.config import Config, load
from stacks.denials import Perimeter
from stacks.resource_control import resource_control_policies
from stacks.service_control import service_control_policies

Json = dict[str, Any]


@pytest.fixture(scope="module")
def story(simulator: Simulator) -> Iterator[Governance]:
    with governance_story.start(plan(), decider(simulator), tell=lambda _: None) as running:
        running.run()
        yield running


@pytest.fixture(scope="module")
def found(story: Governance) -> Json:
    facts: Json = json.loads(json.dumps(governance_facts.facts(story)))  # as machines read it
    return facts


@pytest.fixture
def config(story: Governance) -> Config:
    return load(story.fork / "environments")


@pytest.fixture
def iam(story: Governance) -> Any:
    return story.aws.client("iam", story.land.accounts[TRAINS], story.plan.region)


def test_who_was_planned_for_gets_it_and_nobody_else(story: Governance, found: Json) -> None:
    accounts = found["accounts"]
    assert {row["account"]: row["unit"] for row in found["plan"]} == {
        accounts[TRAINS]: f"Root/{UNIT}",
        accounts[SERVES]: f"Root/{UNIT}/{BELOW}",
    }
    for row in found["plan"]:
        assert row["does"] == dict.fromkeys(story.plan.stack_sets, "create")
    assert found["rolled_out"] == sorted(row["account"] for row in found["plan"])
    assert story.land.stacks(accounts[STRANGE]) == found["elsewhere"] == []


def test_a_unit_that_is_not_there_is_named_by_the_check(story: Governance) -> None:
    file = story.fork / "environments/platform.toml"
    text = file.read_text()
    assert story._slipway("check", "--ask-aws").rstrip().endswith("ok")

    file.write_text(text.replace(story.land.units[UNIT], "ou-none-00000000"))
    try:
        with pytest.raises(GovernanceError, match=r"no organizational unit ou-none-00000000 in .*; mend \[rollout\]"):
            story._slipway("check", "--ask-aws")
    finally:
        file.write_text(text)


def test_who_joins_gets_the_same(story: Governance, found: Json) -> None:
    assert found["joined"] == {"account": found["accounts"][LATE]} | dict.fromkeys(story.plan.stack_sets, "SUCCEEDED")
    kinds = [
        sorted(each["ResourceType"] for each in story.aws.client("cloudformation", account, story.plan.region)
               .describe_stack_resources(StackName=name)["StackResources"])
        for account in (found["accounts"][SERVES], found["accounts"][LATE])
        for name in story.land.stacks(account)
    ]  # fmt: skip
    serves, late = kinds[: len(kinds) // 2], kinds[len(kinds) // 2 :]
    assert len(late) == len(story.plan.stack_sets)
    assert sorted(serves) == sorted(late)


def test_the_key_opened_by_hand_is_named(story: Governance, found: Json) -> None:
    (drift,) = found["drift"]
    assert (drift["stack_set"], drift["place"].split()[0]) == (story.plan.stack_sets[0], found["accounts"][TRAINS])
    (difference,) = drift["differences"]
    assert "(AWS::KMS::Key) /KeyPolicy/Statement: " in difference
    assert f"arn:aws:iam::{found['accounts'][STRANGE]}:root" in difference.split(" instead of ")[0]
    assert found["drift_mended"] == "6 stacks are as the roll-out made them"


def test_the_guardrails_are_those_of_the_code(story: Governance, config: Config) -> None:
    about = Perimeter.of(config.platform, config.environments)
    assert about.organization_id == story.organization

    for attached, meant in (
        (story.people.above.service, service_control_policies(about)),
        (story.people.above.resource, resource_control_policies(about)),
    ):
        assert attached == {f"{about.platform}-{name}": policy for name, policy in meant.items()}


def test_budgets_are_there(found: Json, config: Config) -> None:
    told = [(each["account"], each["monthly"]) for each in found["budgets"]]
    rollout = config.platform.rollout
    assert rollout
    assert rollout.budget
    members = [found["accounts"][name] for name in (TRAINS, SERVES, LATE)]
    own = (members[0], f"{config.environment('dev').budget.monthly_usd} USD")
    assert sorted(told) == sorted([own, *((each, f"{rollout.budget.monthly_usd} USD") for each in members)])


def test_everything_declared_is_there(found: Json) -> None:
    resources = found["resources"]
    assert resources["declared"] == resources["created"] > 30
    assert resources["recorded_only"] == resources["waiting"] == []


def test_roles_are_decided_upon_as_they_stand(story: Governance, iam: Any) -> None:
    for role in {decided.deed.role.name: decided.deed.role for decided in story.people.decided}.values():
        told = iam.get_role(RoleName=role.name)["Role"]
        boundary = told.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        assert (role.arn, role.boundary_arn, bool(role.boundary)) == (told["Arn"], boundary, bool(boundary))
        assert role.policies
        assert (boundary is None) == (role.name == ADMINISTRATOR)


def test_each_refusal_says_who_what_and_why(found: Json) -> None:
    refused = [each for each in found["people"] if not each["allowed"]]
    assert len(refused) >= 15
    for each in refused:
        assert each["user"]
        assert each["role"]
        assert ":" in each["action"]
        assert each["because"]
        assert all(reason["kind"] and reason["text"] for reason in each["because"])
        assert each["version_after"] == ""
    why = {
        (each["role"].split("-", 2)[-1], each["does"]): {reason["statement"] for reason in each["because"]}
        for each in refused
    }
    assert why["data-scientist", "approves it"] == {
        "NoStatusAlong",
        "OnlyApproversSetApproval",
        "OnlyApproversDecideStages",
    }
    assert why["approver", "approves their own"] == {"NotOnesOwn"}
    assert why["approver", "approves unasked"] == why["data-scientist", "starts the pipeline"] == {""}
    assert why["studio.al", "approves it"] == why["data-scientist", "approves it"]
    assert why[ADMINISTRATOR, "opens the baseline's key"] == {"OnlyTheRolloutChangesTheKey"}
    assert why[ADMINISTRATOR, "stops the trail"] == {"NobodyDisablesTrails"}
    assert why[ADMINISTRATOR, "takes a boundary away"] == {"NobodyTakesTheBoundaryAway"}


def test_an_administrator_is_held_by_the_organization_and_the_key_alone(found: Json) -> None:
    key = "opens the baseline's key"
    theirs = [each for each in found["people"] if each["role"] == ADMINISTRATOR and each["does"] != key]
    assert all(each["allowed_without_organization"] for each in theirs)
    assert {reason["kind"] for each in theirs for reason in each["because"]} == {"SCP"}
    others = [each for each in found["people"] if each["role"] != ADMINISTRATOR]
    assert {each["allowed_without_organization"] for each in others if not each["allowed"]} == {False}


def test_the_version_went_the_way_that_was_allowed(story: Governance, found: Json) -> None:
    assert [each["version_after"] for each in found["people"] if each["version_after"]] == [
        "Staging/PendingApproval, PendingManualApproval",
        "Staging/Approved, Approved",
        "Production/PendingApproval, Approved",
        "Production/Approved, Approved",
    ]
    sagemaker = story.aws.client("sagemaker", story.land.accounts[TRAINS], story.plan.region)
    told = sagemaker.describe_model_package(ModelPackageName=found["version"]["arn"])
    assert told["ModelLifeCycle"]["Stage"] == "Production"
    assert told["ModelApprovalStatus"] == "Approved"
    assert told["CustomerMetadataProperties"] == {"author": "al"}


def people(story: Governance, over: Above | None = None) -> People:
    return People(story.decide, over or story.people.above, story.organization, story.plan.region)


def version(story: Governance) -> Version:
    sagemaker = story.aws.client("sagemaker", story.land.accounts[TRAINS], story.plan.region)
    return Version.registered(sagemaker, story.plan.group, "al")


@pytest.mark.parametrize(
    ("who", "statement", "said"),
    [
        (APPROVER, "NotOnesOwn", "taken on by al, may do sagemaker:UpdateModelPackage .* \\(approves their own\\)"),
        (APPROVER, "ApproveForStaging", "taken on by bo, may not do .* \\(approves it\\): own policy"),
        (SCIENTIST, "AskForStaging", "taken on by al, may not do .* \\(asks for staging\\): own policy"),
        (SCIENTIST, "KeepOrigin", "taken on by al, may do .* \\(removes its author\\)"),
    ],
)
def test_who_is_given_another_policy_is_decided_upon_otherwise(
    story: Governance, iam: Any, who: str, statement: str, said: str
) -> None:
    """Removed from the role in the embedded AWS; where only a denial goes, whatever it had been denied is allowed."""
    name = story.plan.roles[who]
    before = held(iam, name)
    everything = {"Sid": "All", "Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}
    for policy, document in before.policies.items():
        kept = [each for each in document["Statement"] if each.get("Sid") != statement]
        if statement == "KeepOrigin":
            kept.append(everything)
        iam.put_role_policy(
            RoleName=name, PolicyName=policy, PolicyDocument=json.dumps({**document, "Statement": kept})
        )
    roles = {each: held(iam, named) for each, named in story.plan.roles.items()}
    for policy, document in before.policies.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))

    with pytest.raises(PeopleError, match=said):
        live(version(story), roles, people(story))


def test_a_guardrail_that_is_detached_guards_nothing(story: Governance) -> None:
    organizations = story.aws.client("organizations", story.land.management, story.plan.region)
    unit = story.land.units[UNIT]
    listed = organizations.list_policies_for_target(TargetId=unit, Filter="SERVICE_CONTROL_POLICY")["Policies"]
    (accounts,) = (each["Id"] for each in listed if each["Name"] == "slipway-accounts")
    organizations.detach_policy(PolicyId=accounts, TargetId=unit)
    over = above(organizations, story.land.accounts[TRAINS])
    organizations.attach_policy(PolicyId=accounts, TargetId=unit)
    administrator, scientist = (
        next(each.deed.role for each in story.people.decided if each.deed.role.name == name)
        for name in (ADMINISTRATOR, story.plan.roles[SCIENTIST])
    )

    looks, _, stops, *_ = past_the_guardrails(administrator, scientist, version(story), story.things)

    people(story, over).try_to(looks)
    with pytest.raises(PeopleError, match=r"Admin, taken on by cy, may do cloudtrail:StopLogging .* \(stops the trail"):
        people(story, over).try_to(stops)


def test_whoever_says_yes_to_all_is_not_believed(story: Governance) -> None:
    scientist, approver = (
        next(each.deed.role for each in story.people.decided if each.deed.role.name == story.plan.roles[who])
        for who in (SCIENTIST, APPROVER)
    )
    easy = replace(people(story), decide=lambda _: Answer(allowed=True))

    with pytest.raises(PeopleError, match=r"may do sagemaker:StartPipelineExecution on .*:pipeline/slipway-dev-flight"):
        easy.try_to(next(past_their_role(scientist, approver, story.things)))


def test_it_is_told_within_a_terminal(found: Json) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=80, highlight=False, soft_wrap=True)
    for table in governance_facts.tables(found):
        console.print(table)

    told = screen.getvalue()
    assert max(map(len, told.splitlines())) <= 80
    assert "…" not in told
    assert "Decided by the IAM simulator" in told
    assert "it evaluates no policies of roles, boundaries, PassRole or SCPs" in " ".join(told.split())
