"""CloudWatch alarms and dashboards."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call, tags


class Alarm(Provider):
    type = "AWS::CloudWatch::Alarm"
    known = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "Dimensions",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "MetricName",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Threshold",
            "TreatMissingData",
            "Unit",
        }
    )
    fixed = frozenset({"AlarmName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        alarm = str(properties.get("AlarmName") or name)
        given = {key: value for key, value in properties.items() if key not in {"AlarmName", "Tags"}}
        call(place.client("cloudwatch"), "put_metric_alarm", AlarmName=alarm, Tags=tags(properties), **given)
        return alarm

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        self.create(place, physical_id, {**new, "AlarmName": physical_id})

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("cloudwatch").describe_alarms(AlarmNames=[physical_id])["MetricAlarms"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("cloudwatch").delete_alarms(AlarmNames=[physical_id])

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"Arn": place.arn("cloudwatch", f"alarm:{physical_id}")}


class Dashboard(Provider):
    type = "AWS::CloudWatch::Dashboard"
    known = frozenset({"DashboardBody", "DashboardName"})
    fixed = frozenset({"DashboardName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        dashboard = str(properties.get("DashboardName") or name)
        body = properties["DashboardBody"]
        place.client("cloudwatch").put_dashboard(DashboardName=dashboard, DashboardBody=body)
        return dashboard

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        self.create(place, physical_id, {**new, "DashboardName": physical_id})

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("cloudwatch").get_dashboard(DashboardName=physical_id)

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("cloudwatch").delete_dashboards(DashboardNames=[physical_id])
