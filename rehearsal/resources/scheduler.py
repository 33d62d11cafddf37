"""EventBridge Scheduler's schedules."""

from __future__ import annotations

from rehearsal import cron
from rehearsal.resources import Json, Place, Provider, call


class Schedule(Provider):
    type = "AWS::Scheduler::Schedule"
    known = frozenset(
        {
            "Description",
            "FlexibleTimeWindow",
            "KmsKeyArn",
            "Name",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "State",
            "Target",
        }
    )
    fixed = frozenset({"Name"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        schedule = str(properties.get("Name", name[:64]))
        cron.check(properties["ScheduleExpression"])
        call(place.client("scheduler"), "create_schedule", **{**properties, "Name": schedule})
        return schedule

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        cron.check(new["ScheduleExpression"])
        call(place.client("scheduler"), "update_schedule", **{**new, "Name": physical_id})

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("scheduler").get_schedule(Name=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("scheduler").delete_schedule(Name=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("scheduler", f"schedule/default/{physical_id}")}
