"""The page that auditors read is what IAM decides on what the templates deploy."""

from __future__ import annotations

import pytest
from iam_deployed import Cloud
from iam_simulator import Question, Simulator
from limits import unlimited, wild
from matrix import PAGE, Page, question, read, wrong

LEAST_QUESTIONS = 1_500


@pytest.fixture(scope="module")
def page() -> Page:
    return read()


def test_every_line_of_the_page_holds(page: Page, cloud: Cloud, simulator: Simulator) -> None:
    cells = list(page.cells())

    assert list(wrong(page, cloud, simulator)) == []
    assert len(cells) >= LEAST_QUESTIONS
    assert sum(cell.allowed for cell in cells) > 100
    assert sum(not cell.allowed for cell in cells) > 1_000


def test_each_role_of_people_may_something_and_is_told_of(page: Page, cloud: Cloud) -> None:
    """A role that no line speaks of, or that may nothing, is a hole in the page."""
    may = {(cell.environment, cell.role) for cell in page.cells() if cell.allowed}
    personas = {role.name for role in cloud.roles.values() if role.stack.endswith("-Personas")}
    told = {f"slipway-{environment}-{page.roles[role]}" for environment, role in may}

    assert personas - told == {f"slipway-staging-{name}" for name in ("ml-engineer", "platform-admin", "auditor")} | {
        "slipway-staging-flight-delay-consumer"
    }


def test_staging_lets_people_do_what_production_does(page: Page, cloud: Cloud, simulator: Simulator) -> None:
    """The page shows production; staging's roles are held against the same lines."""
    for cell in [one for one in page.cells() if one.environment == "prod" and " of " not in one.thing]:
        asked = question(page, cloud, cell)
        twin = question(page, cloud, type(cell)("staging", *list(vars(cell).values())[1:]))
        if "releaser of prod" not in cell.thing:
            assert simulator.may([asked]) == simulator.may([twin]), str(cell)


def test_no_policy_has_a_wildcard_that_the_simulator_cannot_see(cloud: Cloud) -> None:
    assert list(wild(cloud)) == []


def test_every_role_is_known_wholly(cloud: Cloud) -> None:
    """Policies that lie elsewhere would be left out of every answer; of `cdk bootstrap`'s only two, which read."""
    unknown = {arn for role in cloud.roles.values() for arn in role.unknown}

    assert {arn.split("/")[-1] for arn in unknown} == {"ReadOnlyAccess", "AWSCloudFormationReadOnlyAccess"}
    assert list(unlimited(cloud)) == []


def test_a_question_with_a_key_that_aws_does_not_send_proves_nothing(cloud: Cloud, simulator: Simulator) -> None:
    asked = Question(
        cloud.role("slipway-dev-approver"), "sagemaker:DescribeModelPackage", "*", {"sagemaker:VolumeKmsKey": "x"}
    )
    with pytest.raises(AssertionError, match="carries no sagemaker:VolumeKmsKey"):
        simulator.may([asked])


def test_a_line_that_is_neither_yes_nor_empty_is_no_line() -> None:
    text = PAGE.read_text().replace("| yes |", "| maybe |", 1)
    with pytest.raises(AssertionError, match="'maybe' is neither yes nor empty"):
        list(Page(text).cells())
