"""What moto lacks of the registry of Application Auto Scaling: dimensions, alarms of policies, ARNs that stay.

It makes alarms for other services alone, names a policy anew whenever it is put, and keeps what belonged to a target
that was deregistered.
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from moto.applicationautoscaling import models, responses
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeApplicationAutoscalingPolicy

from rehearsal import scaling_alarms

MISSING = ("sagemaker:inference-component:DesiredCopyCount",)
SAGEMAKER, TRACKS = "sagemaker", "TargetTrackingScaling"

_create, _put, _deregister = (
    FakeApplicationAutoscalingPolicy.create_alarms,
    ApplicationAutoscalingBackend.put_scaling_policy,
    ApplicationAutoscalingBackend.deregister_scalable_target,
)


def install() -> None:
    """Widen what moto accepts; it asks for the values alone. The rest are mends of its methods."""
    known = [dimension.value for dimension in models.ScalableDimensionValueSet]
    wider = [SimpleNamespace(value=value) for value in (*known, *MISSING)]
    for module in (models, responses):
        setattr(module, "ScalableDimensionValueSet", wider)  # noqa: B010
    setattr(FakeApplicationAutoscalingPolicy, "create_alarms", create_alarms)  # noqa: B010
    setattr(ApplicationAutoscalingBackend, "put_scaling_policy", put_scaling_policy)  # noqa: B010
    setattr(ApplicationAutoscalingBackend, "deregister_scalable_target", deregister_scalable_target)  # noqa: B010


def create_alarms(policy: Any) -> None:
    """Before a policy is kept: those of SageMaker get their alarms once they have their ARN, if they can have any."""
    if policy.service_namespace != SAGEMAKER:
        _create(policy)
    elif policy.policy_type == TRACKS:
        scaling_alarms.metric(policy, policy.target_tracking_scaling_policy_configuration)


def put_scaling_policy(backend: Any, **given: Any) -> Any:
    """A policy that is put again stays the same one: alarms name it by its ARN, and it has its own by its id."""
    named = (given["service_namespace"], given["resource_id"], given["scalable_dimension"], given["policy_name"])
    before = backend.policies.get(FakeApplicationAutoscalingPolicy.formulate_key(*named))
    made = _put(backend, **given)
    if before:
        vars(made).update({key: vars(before)[key] for key in ("_guid", "policy_arn", "creation_time")})
    if made.service_namespace == SAGEMAKER and made.policy_type == TRACKS:
        made.alarms = scaling_alarms.make(made, made.target_tracking_scaling_policy_configuration or {})
    return made


def deregister_scalable_target(backend: Any, namespace: str, r_id: str, dimension: str) -> None:
    """Policies and scheduled actions of a target go with it."""
    _deregister(backend, namespace, r_id, dimension)
    for name, policy in list(backend.policies.items()):
        if (policy.resource_id, policy.scalable_dimension) == (r_id, dimension):
            policy.delete_alarms(policy.account_id, policy.region_name)
            del backend.policies[name]
    for action in list(backend.scheduled_actions):
        if (action.resource_id, action.scalable_dimension) == (r_id, dimension):
            backend.scheduled_actions.remove(action)
