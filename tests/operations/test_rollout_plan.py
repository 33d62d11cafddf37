"""What a roll-out would do is said before anything happens, and afterwards where accounts are not as it made them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from embedded import ACCOUNTS, REGION
from organization_world import HERE, STACK_SETS, World, organization, parameter, template

from operations.drift import Finding, look_for_drift
from operations.members import members_of
from operations.rollout import Environments, Line, Plan, RolloutError, StackSet, plan
from rehearsal.embedded import EmbeddedAws

OTHER = "eu-central-1"


@pytest.fixture
def world(aws: EmbeddedAws, account: str) -> World:
    return organization(aws, account)


def wanted(unit: str, name: str = "baseline", body: str = HERE, **more: Any) -> StackSet:
    return StackSet(name, body, more.pop("parameters", {}), (unit,), more.pop("regions", (REGION,)), **more)


def planned(world: World, *stack_sets: StackSet, **awaited: str) -> Plan:
    accounts = {account.removeprefix("a"): who for account, who in awaited.items()}
    return plan(world.client, stack_sets, management=world.management, environments=Environments(accounts))


def rolled_out(world: World, stack_set: StackSet, **more: Any) -> None:
    world.make(stack_set.template, stack_set.name, **more)
    world.roll_out(stack_set.name, *stack_set.units, regions=list(stack_set.regions))


def doing(found: Plan) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(line.account, line.region): line.doing for line in found.lines}


def test_members_are_those_of_a_unit_and_below_by_their_path(world: World) -> None:
    unit = world.unit("ml")
    below = world.unit("dev", unit)
    deeper, inside = world.account(below), world.account(unit)
    world.account(world.unit("other"))

    found, missing = members_of(world.client("organizations"), [unit, below])

    assert missing == []
    assert [(each.account, each.path, each.unit) for each in found] == [
        (inside, "Root/ml", unit),
        (deeper, "Root/ml/dev", unit),
    ]


def test_the_root_is_a_unit_like_any_other(world: World) -> None:
    account = world.account()

    found, _ = members_of(world.client("organizations"), [world.root])

    assert [(each.account, each.path) for each in found] == [(world.management, "Root"), (account, "Root")]


def test_a_first_plan_creates_everything_and_changes_nothing(world: World) -> None:
    unit = world.unit("ml")
    one, two = world.account(unit), world.account(unit)

    found = planned(world, wanted(unit, regions=(REGION, OTHER)), wanted(unit, "bootstrap"))

    assert doing(found) == {
        (account, region): ("create", "create") for region in (REGION, OTHER) for account in (one, two)
    }
    assert found.lines[0] == Line(one, f"account-{one}", "Root/ml", REGION, ("create", "create"), ("", ""))
    assert world.client("cloudformation").list_stack_sets()["Summaries"] == []
    assert world.value(one) is None


def test_what_is_there_stays_or_is_updated(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    here = wanted(unit)
    rolled_out(world, here)

    def word(stack_set: StackSet) -> str:
        return doing(planned(world, stack_set))[account, REGION][0]

    assert word(here) == "unchanged"
    assert word(wanted(unit, body=json.dumps(json.loads(HERE), indent=4))) == "unchanged"
    assert word(wanted(unit, body=template(Here=parameter("/here", "new")))) == "update"
    assert word(wanted(unit, parameters={"Word": "new"})) == "update"


def test_new_units_and_regions_are_created_and_those_left_out_deleted(world: World) -> None:
    unit, other = world.unit("ml"), world.unit("other")
    account, elsewhere = world.account(unit), world.account(other)
    rolled_out(world, wanted(unit))

    found = doing(planned(world, wanted(other)))
    wider = doing(planned(world, wanted(unit, regions=(REGION, OTHER))))

    assert found == {(elsewhere, REGION): ("create",), (account, REGION): ("delete",)}
    assert wider == {(account, REGION): ("unchanged",), (account, OTHER): ("create",)}


def test_who_is_passed_over_is_named_as_such(world: World) -> None:
    unit = world.unit("ml")
    excluded, suspended, missed = (world.account(unit) for _ in range(3))
    world.client("organizations").close_account(AccountId=suspended)
    here = wanted(unit, but=(excluded,))
    world.make(HERE, here.name)
    world.roll_out(here.name, unit, targets={"Accounts": [excluded, missed], "AccountFilterType": "DIFFERENCE"})

    found = planned(world, here)

    assert doing(found) == {
        (excluded, REGION): ("excluded",),
        (suspended, REGION): ("suspended",),
        (missed, REGION): ("missing",),
    }
    assert [line.account for line in found.lines if line.stuck] == [missed]


def test_what_failed_before_is_told_with_its_reason(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    world.client("ssm", account).put_parameter(Name="/here", Type="String", Value="in the way")
    here = wanted(unit)
    rolled_out(world, here)

    (line,) = planned(world, here).lines

    assert line.doing == ("failed",)
    assert "already exists" in line.reasons[0]
    assert line.stuck


def test_the_management_account_is_no_target_and_said_so(world: World) -> None:
    account = world.account()

    found = planned(world, wanted(world.root))

    assert doing(found) == {(account, REGION): ("create",)}
    assert found.notes == [f"{world.management} is the management account: StackSets deploy nothing to it"]


def test_an_environment_that_does_without_where_deployments_are_limited_is_told_so(world: World) -> None:
    unit = world.unit("ml")
    inside, excluded = world.account(unit), world.account(unit)
    alone = Environments(
        alone={inside: "environment dev", excluded: "environment qa", "123456789012": "environment prod"}
    )

    found = plan(world.client, [wanted(unit, but=(excluded,))], management=world.management, environments=alone)

    (note,) = found.notes
    assert note.startswith(f"environment dev makes key and boundary itself in {inside}")


def test_everything_that_stands_against_it_is_said_at_once(aws: EmbeddedAws, account: str) -> None:
    world = World(aws, account)
    world.client("organizations").create_organization(FeatureSet="ALL")
    stack_sets = [StackSet("baseline", HERE, {}, ("ou-none-00000000", "ou-none-11111111"), (REGION,))]

    with pytest.raises(RolloutError) as caught:
        plan(world.client, stack_sets, management="123456789012", environments=Environments())

    first, second, third, fourth = str(caught.value).splitlines()
    assert first.startswith("no organizational unit ou-none-00000000")
    assert second.startswith("no organizational unit ou-none-11111111")
    assert third.startswith(f"the organization's management account is {account}, not 123456789012")
    assert fourth.endswith("aws cloudformation activate-organizations-access")


def test_accounts_that_no_unit_has_are_named(world: World) -> None:
    unit = world.unit("ml")
    inside, excluded, stranger = world.account(unit), world.account(unit), str(next(ACCOUNTS))
    here = wanted(unit, but=(stranger, excluded))

    with pytest.raises(RolloutError) as caught:
        planned(world, here, **{f"a{inside}": "dev", f"a{excluded}": "staging", f"a{stranger}": "prod"})

    assert str(caught.value).splitlines() == [
        f"account {stranger} is in none of the units, so no stack set heeds it; remove it from [rollout]",
        f"staging awaits the baseline in account {excluded}, which gets none; name a unit it is in, or its owner",
        f"prod awaits the baseline in account {stranger}, which gets none; name a unit it is in, or its owner",
    ]


def test_a_delegated_administrator_plans_and_one_who_is_not_is_told_how(world: World) -> None:
    unit = world.unit("ml")
    account, administrator = world.account(unit), world.account()
    here = wanted(unit, call_as="DELEGATED_ADMIN")

    def client(service: str) -> Any:
        return world.client(service, administrator)

    world.client("organizations").register_delegated_administrator(AccountId=administrator, ServicePrincipal=STACK_SETS)
    found = plan(client, [here], management=world.management, environments=Environments())
    assert doing(found) == {(account, REGION): ("create",)}

    with pytest.raises(RolloutError, match="Account used is not a delegated administrator; register it"):
        planned(world, here)


def test_what_a_template_makes_is_counted_by_type() -> None:
    yaml = (
        "Parameters:\n  P:\n    Type: AWS::SSM::Parameter::Value<String>\nResources:\n  A:\n    Type: 'AWS::KMS::Key'\n"
    )

    def kinds(body: str) -> dict[str, int]:
        return dict(StackSet("s", body, {}, (), ()).kinds())

    assert kinds(yaml) == {"AWS::KMS::Key": 1}
    assert kinds(template(A=parameter("/a"), B=parameter("/b"))) == {"AWS::SSM::Parameter": 2}


def drift(world: World, name: str) -> dict[str, Finding]:
    found = look_for_drift(world.client("cloudformation"), name, "SELF", every_seconds=0.05)
    return {finding.account: finding for finding in found}


def test_drift_is_waited_for_and_told_by_account(world: World) -> None:
    unit = world.unit("ml")
    same, changed, gone = (world.account(unit) for _ in range(3))
    here = wanted(unit)
    rolled_out(world, here)
    world.client("ssm", changed).put_parameter(Name="/here", Type="String", Value="else", Overwrite=True)
    world.client("ssm", gone).delete_parameter(Name="/here")

    found = drift(world, here.name)

    assert found[same] == Finding(here.name, same, REGION, "SUCCEEDED", "", "IN_SYNC")
    assert found[same].good
    assert found[changed].differences == (f"Here (AWS::SSM::Parameter) /Value: else instead of {changed}",)
    assert found[gone].differences == ("Here (AWS::SSM::Parameter) was deleted",)
    assert not found[changed].good
    assert not found[gone].good


def test_what_failed_is_told_though_the_detection_came_after_it(world: World) -> None:
    unit = world.unit("ml")
    fine, failed = world.account(unit), world.account(unit)
    world.client("ssm", failed).put_parameter(Name="/here", Type="String", Value="in the way")
    here = wanted(unit)
    rolled_out(world, here)

    first, second = drift(world, here.name), drift(world, here.name)

    assert (first[failed].status, first[failed].drift) == ("FAILED", "NOT_CHECKED")
    assert "already exists" in first[failed].reason
    assert first[fine].good
    assert not second[failed].good


def test_a_detection_that_somebody_stopped_is_no_answer(world: World) -> None:
    unit = world.unit("ml")
    world.account(unit)
    here = wanted(unit)
    rolled_out(world, here)
    cloudformation = world.client("cloudformation")

    class Stopped:
        """The same, but for the status of operations."""

        def __getattr__(self, name: str) -> Any:
            return getattr(cloudformation, name)

        def describe_stack_set_operation(self, **_: str) -> Any:
            return {"StackSetOperation": {"Status": "STOPPED"}}

    with pytest.raises(RolloutError, match=f"somebody stopped the drift detection of {here.name}; run it again"):
        list(look_for_drift(Stopped(), here.name, "SELF", every_seconds=0))
