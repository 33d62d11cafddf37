"""Budgets, with who is told at which share of them."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, ReplaceError, call


class Budget(Provider):
    type = "AWS::Budgets::Budget"
    known = frozenset({"Budget", "NotificationsWithSubscribers", "ResourceTags"})
    fixed = frozenset({"NotificationsWithSubscribers"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        budget = {"BudgetName": name[:100], **properties["Budget"]}
        call(
            place.client("budgets"),
            "create_budget",
            AccountId=place.account,
            Budget=budget,
            NotificationsWithSubscribers=properties.get("NotificationsWithSubscribers", []),
            ResourceTags=properties.get("ResourceTags", []),
        )
        return str(budget["BudgetName"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        if old["Budget"].get("BudgetName") != new["Budget"].get("BudgetName"):
            raise ReplaceError(f"{physical_id}: BudgetName")
        changed = {**new["Budget"], "BudgetName": physical_id}
        call(place.client("budgets"), "update_budget", AccountId=place.account, NewBudget=changed)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        budgets, named = place.client("budgets"), {"AccountId": place.account, "BudgetName": physical_id}
        notices = budgets.describe_notifications_for_budget(**named)["Notifications"]
        told = [budgets.describe_subscribers_for_notification(**named, Notification=one) for one in notices]
        whole = len(told) == len(properties.get("NotificationsWithSubscribers", []))
        return whole and budgets.describe_budget(**named)["Budget"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("budgets").delete_budget(AccountId=place.account, BudgetName=physical_id)
