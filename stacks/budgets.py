"""What an environment may cost a month: a budget that warns, and a watch for costs that are unusual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_ce as ce

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

    from stacks.baseline import Baseline
    from stacks.budget_settings import BudgetSettings
    from stacks.names import Names


@dataclass(frozen=True)
class Told:
    """Who is told: by mail, or by the topic that all other notices go to."""

    kind: str
    addresses: tuple[str, ...]


class Budgets(cdk.Stack):
    """Owns the budget of an environment, and its share in the account's watch for anomalies."""

    def __init__(
        self, scope: Construct, id: str, *, config: BudgetSettings, names: Names, tags: Mapping[str, str]
    ) -> None:
        super().__init__(scope, id, description="What a month may cost")
        told = Told("EMAIL", config.emails) if config.emails else Told("SNS", (names.topic_arn,))
        counted = {"TagKeyValue": [f"user:environment${names.environment}"]} if config.scope == "environment" else None
        monthly_budget(self, config, told, tags, counted=counted)
        if config.anomaly_usd:
            _watch(self, names.prefix, config, told)


def monthly_budget(
    scope: Construct,
    config: BudgetSettings,
    told: Told,
    tags: Mapping[str, str],
    *,
    counted: Mapping[str, list[str]] | None = None,
) -> budgets.CfnBudget:
    """A budget of costs, with a notice at each share, and one when the month will cost more than all of it.

    CloudFormation names it: other notices take another budget, which could not have the same name beside this one.
    """
    budget = budgets.CfnBudget
    subscribers = [budget.SubscriberProperty(address=each, subscription_type=told.kind) for each in told.addresses]
    notices = [("ACTUAL", percent) for percent in config.alert_percents] + [("FORECASTED", 100)]
    return budget(
        scope,
        "Budget",
        budget=budget.BudgetDataProperty(
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=budget.SpendProperty(amount=config.monthly_usd, unit="USD"),
            cost_filters=counted,
        ),
        notifications_with_subscribers=[
            budget.NotificationWithSubscribersProperty(
                notification=budget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=subscribers,
            )
            for kind, percent in notices
        ],
        resource_tags=[budget.ResourceTagProperty(key=key, value=value) for key, value in sorted(tags.items())],
    )


def _watch(scope: Construct, name: str, config: BudgetSettings, told: Told) -> None:
    """Of AWS's services one by one: monitors of accounts and tags are the management account's alone.

    Without tags, since other tags would take another monitor, and an account has one.
    https://docs.aws.amazon.com/cost-management/latest/userguide/getting-started-ad.html
    """
    monitor, subscription = ce.CfnAnomalyMonitor, ce.CfnAnomalySubscription
    watches = config.anomaly_monitor_arn or (
        monitor(
            scope,
            "Monitor",
            monitor_name=name,
            monitor_type="DIMENSIONAL",
            monitor_dimension="SERVICE",
        ).attr_monitor_arn
    )
    at_least = (
        '{"Dimensions":{"Key":"ANOMALY_TOTAL_IMPACT_ABSOLUTE","MatchOptions":["GREATER_THAN_OR_EQUAL"],'
        f'"Values":["{config.anomaly_usd}"]}}}}'
    )
    subscription(
        scope,
        "Subscription",
        subscription_name=name,
        frequency="IMMEDIATE" if told.kind == "SNS" else "DAILY",  # a topic is told at once only, people daily
        monitor_arn_list=[watches],
        subscribers=[subscription.SubscriberProperty(address=each, type=told.kind) for each in told.addresses],
        threshold_expression=at_least,
    )


def account_budget(baseline: Baseline) -> None:
    """The budget that each account of a rollout has, before anything of the platform is deployed to it."""
    config = baseline.config.budget
    if config:
        tags = {"platform": baseline.names.platform}
        baseline.once(monthly_budget(baseline, config, Told("EMAIL", config.emails), tags))
