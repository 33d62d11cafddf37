"""Cost Explorer's watch for unusual costs: what is watched, and who is told."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, call


class AnomalyMonitor(Provider):
    type = "AWS::CE::AnomalyMonitor"
    known = frozenset({"MonitorDimension", "MonitorName", "MonitorSpecification", "MonitorType", "ResourceTags"})
    fixed = known - {"MonitorName"}

    def create(self, place: Place, name: str, properties: Json) -> str:
        monitor = {key: value for key, value in properties.items() if key not in {"ResourceTags", "Tags"}}
        made = call(
            place.client("ce"),
            "create_anomaly_monitor",
            AnomalyMonitor=monitor,
            ResourceTags=properties.get("ResourceTags", []),
        )
        return str(made["MonitorArn"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        place.client("ce").update_anomaly_monitor(MonitorArn=physical_id, MonitorName=new["MonitorName"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("ce").get_anomaly_monitors(MonitorArnList=[physical_id])["AnomalyMonitors"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ce").delete_anomaly_monitor(MonitorArn=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"MonitorArn": physical_id}


class AnomalySubscription(Provider):
    type = "AWS::CE::AnomalySubscription"
    known = frozenset(
        {"Frequency", "MonitorArnList", "ResourceTags", "Subscribers", "SubscriptionName", "ThresholdExpression"}
    )
    fixed = frozenset({"ResourceTags"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = call(
            place.client("ce"),
            "create_anomaly_subscription",
            AnomalySubscription=self._told(properties),
            ResourceTags=properties.get("ResourceTags", []),
        )
        return str(made["SubscriptionArn"])

    @staticmethod
    def _told(properties: Json) -> Json:
        """A threshold is text in a template and a tree for the API."""
        told = {key: value for key, value in properties.items() if key not in {"ResourceTags", "Tags"}}
        if "ThresholdExpression" in told:
            told["ThresholdExpression"] = json.loads(told["ThresholdExpression"])
        return told

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        call(place.client("ce"), "update_anomaly_subscription", SubscriptionArn=physical_id, **self._told(new))

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        ce = place.client("ce")
        return ce.get_anomaly_subscriptions(SubscriptionArnList=[physical_id])["AnomalySubscriptions"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("ce").delete_anomaly_subscription(SubscriptionArn=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"SubscriptionArn": physical_id}
