"""EventBridge rules."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, call, tags


class Rule(Provider):
    type = "AWS::Events::Rule"
    known = frozenset({"Description", "EventPattern", "Name", "ScheduleExpression", "State", "Targets"})
    fixed = frozenset({"Name"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        rule = str(properties.get("Name", name[:64]))
        self._put(place, rule, properties)
        return rule

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        kept = {target["Id"] for target in new.get("Targets", [])}
        gone = [target["Id"] for target in old.get("Targets", []) if target["Id"] not in kept]
        if gone:
            place.client("events").remove_targets(Rule=physical_id, Ids=gone)
        self._put(place, physical_id, new)

    @staticmethod
    def _put(place: Place, rule: str, properties: Json) -> None:
        events = place.client("events")
        given: Json = {
            key: properties[key] for key in ("Description", "ScheduleExpression", "State") if key in properties
        }
        if "EventPattern" in properties:
            given["EventPattern"] = json.dumps(properties["EventPattern"])
        events.put_rule(Name=rule, Tags=tags(properties), **given)
        if properties.get("Targets"):
            call(events, "put_targets", Rule=rule, Targets=properties["Targets"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("events").describe_rule(Name=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        events = place.client("events")
        targets = [target["Id"] for target in properties.get("Targets", [])]
        if targets:
            events.remove_targets(Rule=physical_id, Ids=targets)
        events.delete_rule(Name=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("events", f"rule/{physical_id}")}
