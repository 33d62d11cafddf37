"""Application Auto Scaling: what may be scaled, and by what rule."""

from __future__ import annotations

from rehearsal.resources import Json, Place, Provider, call

TARGET = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class ScalableTarget(Provider):
    type = "AWS::ApplicationAutoScaling::ScalableTarget"
    known = frozenset({*TARGET, "MaxCapacity", "MinCapacity", "RoleARN", "ScheduledActions", "SuspendedState"})
    fixed = frozenset(TARGET)

    def create(self, place: Place, name: str, properties: Json) -> str:
        client = place.client("application-autoscaling")
        given = {key: value for key, value in properties.items() if key not in {"ScheduledActions", "Tags"}}
        call(client, "register_scalable_target", **given)
        for action in properties.get("ScheduledActions", []):
            named = {key: properties[key] for key in TARGET}
            call(client, "put_scheduled_action", **named, **action)
        return "|".join(properties[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace"))

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        was, now = ({one["ScheduledActionName"] for one in side.get("ScheduledActions", [])} for side in (old, new))
        for gone in sorted(was - now):
            named = {key: old[key] for key in TARGET}
            place.client("application-autoscaling").delete_scheduled_action(ScheduledActionName=gone, **named)
        self.create(place, physical_id, new)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        resource, dimension, namespace = physical_id.split("|")
        found = place.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace=namespace, ResourceIds=[resource], ScalableDimension=dimension
        )
        return found["ScalableTargets"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        resource, dimension, namespace = physical_id.split("|")
        place.client("application-autoscaling").deregister_scalable_target(
            ServiceNamespace=namespace, ResourceId=resource, ScalableDimension=dimension
        )


class ScalingPolicy(Provider):
    type = "AWS::ApplicationAutoScaling::ScalingPolicy"
    known = frozenset(
        {
            *TARGET,
            "PolicyName",
            "PolicyType",
            "ScalingTargetId",
            "StepScalingPolicyConfiguration",
            "TargetTrackingScalingPolicyConfiguration",
        }
    )
    fixed = frozenset({*TARGET, "PolicyName", "ScalingTargetId"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        made = call(place.client("application-autoscaling"), "put_scaling_policy", **_given(properties))
        return str(made["PolicyARN"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        self.create(place, physical_id, new)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        given = _given(properties)
        found = place.client("application-autoscaling").describe_scaling_policies(
            ServiceNamespace=given["ServiceNamespace"], PolicyNames=[properties["PolicyName"]]
        )
        return found["ScalingPolicies"]

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        given = {key: value for key, value in _given(properties).items() if key in {*TARGET, "PolicyName"}}
        place.client("application-autoscaling").delete_scaling_policy(**given)


def _given(properties: Json) -> Json:
    """A policy that names its target by reference gets the target's three parts."""
    given = {key: value for key, value in properties.items() if key != "ScalingTargetId"}
    if "ScalingTargetId" in properties:
        resource, dimension, namespace = properties["ScalingTargetId"].split("|")
        given.update(ResourceId=resource, ScalableDimension=dimension, ServiceNamespace=namespace)
    return given
