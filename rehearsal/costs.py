"""Budgets and the watch for unusual costs: what moto lacks of them. Nothing costs anything here, so nobody is told.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from moto.budgets.models import budgets_backends
from moto.budgets.responses import BudgetsResponse
from moto.ce.responses import CostExplorerResponse

from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.budgets.models import Budget

MOST_NOTIFICATIONS = 5
"""Of one budget: https://docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html"""

AT_ONCE, DAILY = "IMMEDIATE", ("DAILY", "WEEKLY")


class Costs:
    """Per account: tags of budgets, monitors and subscriptions of anomalies."""

    def __init__(self) -> None:
        self.tags: dict[str, list[Json]] = {}
        self.monitors: dict[str, dict[str, Json]] = {}
        self.subscriptions: dict[str, dict[str, Json]] = {}

    def install(self) -> None:
        budgets = ("CreateBudget", "DescribeSubscribersForNotification", "ListTagsForResource", "UpdateBudget")
        install(BudgetsResponse, {name: getattr(self, name) for name in budgets})
        anomalies = [f"{verb}Anomaly{kind}" for verb in ("Create", "Update", "Delete") for kind in KINDS]
        reads = [f"GetAnomaly{kind}s" for kind in KINDS]
        install(CostExplorerResponse, {name: getattr(self, name) for name in (*anomalies, *reads)})

    def CreateBudget(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        """As moto does, with AWS's limit and the tags that moto forgets."""
        notices = request.get("NotificationsWithSubscribers", [])
        if len(notices) > MOST_NOTIFICATIONS:
            raise ServiceError("CreationLimitExceededException", "The budget has more than 5 notifications.")
        budgets_backends[caller.account]["aws"].create_budget(caller.account, request["Budget"], notices)
        self.tags[_arn(caller.account, request["Budget"]["BudgetName"])] = request.get("ResourceTags", [])
        return {}

    def UpdateBudget(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        new = request["NewBudget"]
        budget = _budget(caller, new["BudgetName"])
        budget.budget.update(new)
        return {}

    def DescribeSubscribersForNotification(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        for one in _budget(caller, request["BudgetName"]).notifications:
            if one.details == request["Notification"]:
                return {"Subscribers": one.subscribers}
        raise ServiceError("NotFoundException", "The notification doesn't exist.")

    def ListTagsForResource(self, _caller: Caller, request: Json) -> Json:  # noqa: N802
        return {"ResourceTags": self.tags.get(request["ResourceARN"], [])}

    def CreateAnomalyMonitor(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        monitor, mine = request["AnomalyMonitor"], self.monitors.setdefault(caller.account, {})
        if monitor.get("MonitorDimension") == "SERVICE" and any("MonitorDimension" in one for one in mine.values()):
            raise ServiceError("LimitExceededException", "Limit exceeded on dimensional spend monitor creation")
        arn = _made(caller, "anomalymonitor")
        mine[arn] = {**monitor, "MonitorArn": arn, "CreationDate": _today()}
        return {"MonitorArn": arn}

    def UpdateAnomalyMonitor(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        arn = request["MonitorArn"]
        _known(self.monitors.get(caller.account, {}), arn, "Monitor")["MonitorName"] = request["MonitorName"]
        return {"MonitorArn": arn}

    def DeleteAnomalyMonitor(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        _known(self.monitors.get(caller.account, {}), request["MonitorArn"], "Monitor")
        del self.monitors[caller.account][request["MonitorArn"]]
        return {}

    def GetAnomalyMonitors(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        mine = self.monitors.get(caller.account, {})
        wanted = request.get("MonitorArnList") or list(mine)
        return {"AnomalyMonitors": [_known(mine, arn, "Monitor") for arn in wanted]}

    def CreateAnomalySubscription(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        arn, asked = _made(caller, "anomalysubscription"), request["AnomalySubscription"]
        told = {**asked, "SubscriptionArn": arn, "AccountId": caller.account}
        self._check(caller, told)
        self.subscriptions.setdefault(caller.account, {})[arn] = told
        return {"SubscriptionArn": arn}

    def UpdateAnomalySubscription(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        arn = request["SubscriptionArn"]
        told = _known(self.subscriptions.get(caller.account, {}), arn, "Subscription")
        self._check(caller, {**told, **request})
        told.update(request)
        return {"SubscriptionArn": arn}

    def DeleteAnomalySubscription(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        _known(self.subscriptions.get(caller.account, {}), request["SubscriptionArn"], "Subscription")
        del self.subscriptions[caller.account][request["SubscriptionArn"]]
        return {}

    def GetAnomalySubscriptions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        mine = self.subscriptions.get(caller.account, {})
        wanted = request.get("SubscriptionArnList") or list(mine)
        return {"AnomalySubscriptions": [_known(mine, arn, "Subscription") for arn in wanted]}

    def _check(self, caller: Caller, told: Json) -> None:
        """Its monitors must be there; a topic is told at once, people are told daily or weekly."""
        for arn in told["MonitorArnList"]:
            _known(self.monitors.get(caller.account, {}), arn, "Monitor")
        fitting = {"SNS": (AT_ONCE,), "EMAIL": DAILY}
        for subscriber in told["Subscribers"]:
            if told["Frequency"] not in fitting[subscriber["Type"]]:
                message = f"Frequency {told['Frequency']} goes with no subscriber of type {subscriber['Type']}"
                raise ServiceError("ValidationException", message)


KINDS = ("Monitor", "Subscription")


def _budget(caller: Caller, name: str) -> Budget:
    mine = budgets_backends[caller.account]["aws"].budgets[caller.account]
    if name not in mine:
        raise ServiceError("NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist.")
    return mine[name]


def _known(mine: Mapping[str, Json], arn: str, kind: str) -> Json:
    if arn not in mine:
        raise ServiceError(f"Unknown{kind}Exception", f"The anomaly {kind.lower()} {arn} is unknown.")
    return mine[arn]


def _arn(account: str, budget: str) -> str:
    return f"arn:aws:budgets::{account}:budget/{budget}"


def _made(caller: Caller, kind: str) -> str:
    return f"arn:aws:ce::{caller.account}:{kind}/{uuid.uuid4()}"


def _today() -> str:
    return f"{clock.now():%Y-%m-%d}"
