"""What a month may cost: a budget of each environment that warns those who are to hear of it, and stops nothing."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from conftest import Assembly

from stacks.budget_settings import BudgetSettings
from stacks.budgets import Budgets
from stacks.config import Config, ConfigError, load
from stacks.names import Names
from stacks.rollout import RolloutStage
from stacks.settings import Platform

Json = dict[str, Any]

NAMES = Names("slipway", "dev", "111111111111", "eu-west-1")
TOPIC = "arn:aws:sns:eu-west-1:111111111111:slipway-dev-notices"


def made(folder: Path, **budget: Any) -> dict[str, Json]:
    """The properties of what an environment's room makes, by type."""
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    Budgets(app, "Budgets", config=BudgetSettings.model_validate(budget), names=NAMES, tags={"environment": "dev"})
    app.synth()
    told = json.loads((folder / "Budgets.template.json").read_text())["Resources"]
    return {each["Type"]: each["Properties"] for each in told.values()}


def subscribers(budget: Json) -> list[tuple[str, float, list[tuple[str, str]]]]:
    return [
        (
            each["Notification"]["NotificationType"],
            each["Notification"]["Threshold"],
            [(one["SubscriptionType"], one["Address"]) for one in each["Subscribers"]],
        )
        for each in budget["NotificationsWithSubscribers"]
    ]


def test_every_environment_has_a_budget_of_its_own(assembly: Assembly) -> None:
    found = {name.split("/")[0]: budget["Properties"] for name, budget in assembly.resources("AWS::Budgets::Budget")}

    assert len(found) == len(load().environments)
    for environment in load().environments:
        (budget,) = (each for name, each in found.items() if name.startswith(f"slipway{environment.name}"))
        assert budget["Budget"]["BudgetLimit"] == {"Amount": environment.budget.monthly_usd, "Unit": "USD"}
        assert budget["Budget"]["TimeUnit"] == "MONTHLY"


def test_people_of_the_notices_are_told_at_each_share_and_beforehand(tmp_path: Path) -> None:
    budget = made(tmp_path, alert_percents=(40, 90))["AWS::Budgets::Budget"]

    assert subscribers(budget) == [
        ("ACTUAL", 40, [("SNS", TOPIC)]),
        ("ACTUAL", 90, [("SNS", TOPIC)]),
        ("FORECASTED", 100, [("SNS", TOPIC)]),
    ]


def test_others_are_told_if_the_environment_says_so(tmp_path: Path) -> None:
    emails = ("finance@example.com", "owner@example.com")

    budget = made(tmp_path, emails=emails)["AWS::Budgets::Budget"]

    assert {each[2] == [("EMAIL", email) for email in emails] for each in subscribers(budget)} == {True}


def test_the_topic_and_its_key_let_budgets_tell(assembly: Assembly) -> None:
    """A topic that is encrypted with a key of ours takes both."""
    keys = {name.split("/")[0]: each["Properties"]["KeyPolicy"] for name, each in assembly.resources("AWS::KMS::Key")}
    topics = [each["Properties"]["PolicyDocument"] for _, each in assembly.resources("AWS::SNS::TopicPolicy")]

    assert len(keys) == len(topics) == len(load().environments)
    for document, action in [(each, "sns:Publish") for each in topics] + [
        (each, "kms:Decrypt") for each in keys.values()
    ]:
        (found,) = (each for each in document["Statement"] if "budgets.amazonaws.com" in json.dumps(each["Principal"]))
        assert action in found["Action"]
        assert {"budgets.amazonaws.com", "costalerts.amazonaws.com"} <= set(found["Principal"]["Service"])
        assert list(found["Condition"]["StringEquals"]) == ["aws:SourceAccount"]


def test_it_counts_the_account_or_what_bears_the_environments_tag(tmp_path: Path) -> None:
    account = made(tmp_path / "account")["AWS::Budgets::Budget"]["Budget"]
    tagged = made(tmp_path / "tag", scope="environment")["AWS::Budgets::Budget"]["Budget"]

    assert "CostFilters" not in account
    assert tagged["CostFilters"] == {"TagKeyValue": ["user:environment$dev"]}


def test_it_has_no_name_so_that_another_can_take_its_place(tmp_path: Path) -> None:
    """CloudFormation makes the new one first, and no two have one name."""
    assert "BudgetName" not in made(tmp_path)["AWS::Budgets::Budget"]["Budget"]


def test_unusual_costs_are_watched_only_if_asked_for(tmp_path: Path) -> None:
    without, with_it = made(tmp_path / "0"), made(tmp_path / "100", anomaly_usd=100)

    assert set(without) == {"AWS::Budgets::Budget"}
    assert set(with_it) - set(without) == {"AWS::CE::AnomalyMonitor", "AWS::CE::AnomalySubscription"}
    told = with_it["AWS::CE::AnomalySubscription"]
    assert (told["Frequency"], told["Subscribers"]) == ("IMMEDIATE", [{"Type": "SNS", "Address": TOPIC}])
    assert json.loads(told["ThresholdExpression"])["Dimensions"]["Values"] == ["100"]


def test_a_monitor_that_is_there_is_taken(tmp_path: Path) -> None:
    arn = "arn:aws:ce::111111111111:anomalymonitor/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

    found = made(tmp_path, anomaly_usd=100, anomaly_monitor_arn=arn)

    assert "AWS::CE::AnomalyMonitor" not in found
    assert found["AWS::CE::AnomalySubscription"]["MonitorArnList"] == [arn]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("monthly_usd = 0", "budget.monthly_usd = 0"),
        ("alert_percents = [50, 50]", "names a share twice"),
        ("alert_percents = [1, 2, 3, 4, 5]", "budget.alert_percents"),
        ('emails = ["me"]', "budget.emails.0 = 'me'"),
        ('scope = "model"', "'account' or 'environment'"),
        ('anomaly_monitor_arn = "x"', "budget.anomaly_monitor_arn = 'x'"),
    ],
)
def test_a_budget_that_cannot_be_is_named_by_check(environments: Path, text: str, said: str) -> None:
    file = environments / "dev.toml"
    begin, end = (file.read_text().index(each) for each in ("[budget]", "[data]"))
    file.write_text(f"{file.read_text()[:begin]}[budget]\n{text}\n\n{file.read_text()[end:]}")

    with pytest.raises(ConfigError) as refused:
        load(environments)

    assert len(refused.value.mistakes) == 1
    assert said in refused.value.mistakes[0]


ROLLOUT = {"management_account": "999999999999", "organizational_units": ["ou-ab12-c3d4e5f6"], "regions": ["eu-west-1"]}


def test_a_rollout_gives_each_account_its_budget_once(tmp_path: Path) -> None:
    budget = {"monthly_usd": 500, "emails": ["finance@example.com"]}
    config = load()
    table = {**config.platform.model_dump(), "rollout": {**ROLLOUT, "budget": budget}}
    app = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False)
    RolloutStage(app, config=Config(platform=Platform.model_validate(table), environments=config.environments))
    app.synth()

    found = [
        resource
        for file in tmp_path.rglob("*.json")
        for resource in json.loads(file.read_text()).get("Resources", {}).values()
        if resource["Type"] == "AWS::Budgets::Budget"
    ]
    assert {resource["Condition"] for resource in found} == {"Home"}
    assert found[0]["Properties"]["Budget"]["BudgetLimit"]["Amount"] == 500


@pytest.mark.parametrize("wrong", ["monthly_usd = 500", 'emails = ["a@b.de"]\nanomaly_usd = 5'])
def test_an_accounts_budget_tells_people_by_mail(environments: Path, wrong: str) -> None:
    file = environments / "platform.toml"
    file.write_text(
        f"{file.read_text()}\n[rollout]\nmanagement_account = '999999999999'\n"
        f"organizational_units = ['ou-ab12-c3d4e5f6']\nregions = ['eu-west-1']\n[rollout.budget]\n{wrong}\n"
    )

    with pytest.raises(ConfigError, match="an account has no topic and no tags yet: give emails"):
        load(environments)
