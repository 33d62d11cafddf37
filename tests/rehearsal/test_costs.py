"""Budgets and the watch for unusual costs, as the embedded AWS makes and reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from botocore.exceptions import ClientError
from embedded import Client

from rehearsal.resources import Place, exists
from stacks.budget_settings import BudgetSettings
from stacks.budgets import Budgets
from stacks.names import Names

TAGS = {"environment": "dev", "owner": "platform-team"}


def template(folder: Path, account: str, **budget: Any) -> str:
    names = Names("slipway", "dev", account, "eu-west-1")
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    Budgets(app, "Budgets", config=BudgetSettings.model_validate(budget), names=names, tags=TAGS)
    app.synth()
    told = json.loads((folder / "Budgets.template.json").read_text())
    return json.dumps({"Resources": told["Resources"]})  # without the rules that ask for a bootstrap


def deploy(client: Client, body: str, verb: str = "create") -> str:
    cloudformation = client("cloudformation")
    getattr(cloudformation, f"{verb}_stack")(StackName="costs", TemplateBody=body)
    return str(cloudformation.describe_stacks(StackName="costs")["Stacks"][0]["StackStatus"])


def made(client: Client) -> dict[str, dict[str, Any]]:
    found = client("cloudformation").describe_stack_resources(StackName="costs")["StackResources"]
    return {one["ResourceType"]: one for one in found}


def test_a_budget_tells_at_each_share_and_beforehand(client: Client, account: str, tmp_path: Path) -> None:
    body = template(tmp_path, account, monthly_usd=2000, alert_percents=(50, 90))

    assert deploy(client, body) == "CREATE_COMPLETE"

    (budget,) = client("budgets").describe_budgets(AccountId=account)["Budgets"]
    assert budget["BudgetLimit"] == {"Amount": "2000", "Unit": "USD"}
    named = {"AccountId": account, "BudgetName": budget["BudgetName"]}
    notices = client("budgets").describe_notifications_for_budget(**named)["Notifications"]
    assert [(one["NotificationType"], one["Threshold"]) for one in notices] == [
        ("ACTUAL", 50.0),
        ("ACTUAL", 90.0),
        ("FORECASTED", 100.0),
    ]
    for notice in notices:
        told = client("budgets").describe_subscribers_for_notification(**named, Notification=notice)["Subscribers"]
        topic = f"arn:aws:sns:eu-west-1:{account}:slipway-dev-notices"
        assert told == [{"SubscriptionType": "SNS", "Address": topic}]
    arn = f"arn:aws:budgets::{account}:budget/{budget['BudgetName']}"
    tags = client("budgets").list_tags_for_resource(ResourceARN=arn)["ResourceTags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS
    (resource,) = json.loads(body)["Resources"].values()
    assert exists(Place(account, "eu-west-1", client), resource["Type"], budget["BudgetName"], resource["Properties"])


def test_another_amount_changes_the_budget_and_other_notices_make_another(
    client: Client, account: str, tmp_path: Path
) -> None:
    deploy(client, template(tmp_path / "1", account))
    before = made(client)["AWS::Budgets::Budget"]["PhysicalResourceId"]

    assert deploy(client, template(tmp_path / "2", account, monthly_usd=5000), "update") == "UPDATE_COMPLETE"
    (budget,) = client("budgets").describe_budgets(AccountId=account)["Budgets"]
    assert (budget["BudgetName"], budget["BudgetLimit"]["Amount"]) == (before, "5000")

    third = template(tmp_path / "3", account, monthly_usd=5000, emails=("finance@example.com",))
    assert deploy(client, third, "update") == "UPDATE_COMPLETE"
    (budget,) = client("budgets").describe_budgets(AccountId=account)["Budgets"]
    assert budget["BudgetName"] != before


def test_a_budget_has_five_notices_at_most(client: Client, account: str) -> None:
    shares: list[dict[str, Any]] = [
        {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": share}
        for share in range(1, 7)
    ]
    told = [{"SubscriptionType": "EMAIL", "Address": "finance@example.com"}]
    limit = {"Amount": "1", "Unit": "USD"}

    with pytest.raises(ClientError, match="more than 5 notifications"):
        client("budgets").create_budget(
            AccountId=account,
            Budget={"BudgetName": "x", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit},
            NotificationsWithSubscribers=[{"Notification": share, "Subscribers": told} for share in shares],
        )


def test_unusual_costs_are_watched_and_told(client: Client, account: str, tmp_path: Path) -> None:
    assert deploy(client, template(tmp_path, account, anomaly_usd=100)) == "CREATE_COMPLETE"

    (monitor,) = client("ce").get_anomaly_monitors()["AnomalyMonitors"]
    (told,) = client("ce").get_anomaly_subscriptions()["AnomalySubscriptions"]
    assert (monitor["MonitorType"], monitor["MonitorDimension"]) == ("DIMENSIONAL", "SERVICE")
    assert told["MonitorArnList"] == [monitor["MonitorArn"]]
    assert told["Frequency"] == "IMMEDIATE"
    assert told["ThresholdExpression"]["Dimensions"]["Values"] == ["100"]

    client("cloudformation").delete_stack(StackName="costs")
    assert client("ce").get_anomaly_monitors()["AnomalyMonitors"] == []
    assert client("ce").get_anomaly_subscriptions()["AnomalySubscriptions"] == []


def test_an_account_that_has_a_monitor_is_subscribed_to_it(client: Client, account: str, tmp_path: Path) -> None:
    given = {"MonitorName": "Default", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
    there = client("ce").create_anomaly_monitor(AnomalyMonitor=given)["MonitorArn"]

    refused = deploy(client, template(tmp_path / "own", account, anomaly_usd=100))
    client("cloudformation").delete_stack(StackName="costs")
    taken = template(
        tmp_path / "given", account, anomaly_usd=100, anomaly_monitor_arn=there, emails=("finance@example.com",)
    )

    assert refused == "ROLLBACK_COMPLETE"  # AWS allows one, and gives it to new accounts
    assert deploy(client, taken) == "CREATE_COMPLETE"
    (told,) = client("ce").get_anomaly_subscriptions()["AnomalySubscriptions"]
    assert told["MonitorArnList"] == [there]
    assert told["Frequency"] == "DAILY"
    assert told["Subscribers"][0]["Address"] == "finance@example.com"


def test_a_watch_of_nothing_and_a_topic_told_daily_are_refused(client: Client, account: str) -> None:
    given = {"MonitorName": "own", "MonitorType": "DIMENSIONAL", "MonitorDimension": "SERVICE"}
    there = client("ce").create_anomaly_monitor(AnomalyMonitor=given)["MonitorArn"]
    topic = {"Type": "SNS", "Address": f"arn:aws:sns:eu-west-1:{account}:x"}
    asked = {"SubscriptionName": "x", "MonitorArnList": [there], "Subscribers": [topic], "Frequency": "DAILY"}

    with pytest.raises(ClientError, match="Frequency DAILY goes with no subscriber of type SNS"):
        client("ce").create_anomaly_subscription(AnomalySubscription=asked)
    with pytest.raises(ClientError, match="UnknownMonitorException"):
        client("ce").create_anomaly_subscription(
            AnomalySubscription={**asked, "Frequency": "IMMEDIATE", "MonitorArnList": [f"{there}x"]}
        )
