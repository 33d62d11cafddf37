"""EventBridge: events that AWS services send by themselves, delivered to the rules that match them.

moto matches events; what it sends to few kinds of target, with values of its own, is delivered here.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError
from moto.events.models import Rule, events_backends
from moto.s3 import notifications

from rehearsal import queue_alarms
from rehearsal.api import Caller, ServiceError
from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.api import Json
    from rehearsal.resources import Place

log = logging.getLogger(__name__)

RETRIES = (1, 2)
"""Seconds before an event is delivered again; AWS goes on for a day, which nothing here takes to recover."""

PASSING = frozenset({"ThrottlingException", "TooManyRequestsException", "ServiceException", "InternalFailure"})
"""Errors that may pass."""


def send(place: Place, source: str, kind: str, detail: Json, resources: list[str]) -> None:
    """Send one event of an AWS service on the default bus of the account."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": place.account,
        "time": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": place.region,
        "resources": resources,
        "detail": detail,
    }
    for rule in list(events_backends[place.account][place.region].event_buses["default"].rules.values()):
        _pass(place, rule, event)


def install_events(place_of: Callable[[Caller], Place]) -> None:
    """Deliver what PutEvents and S3 send, too."""
    theirs = Rule.send_to_targets

    def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
        kinds = {target["Arn"].split(":")[2] for target in self.targets}
        if kinds <= set(TARGETS):
            _pass(place_of(Caller(self.account_id, self.region_name)), self, original_event)
        else:
            theirs(self, original_event, transform_input)

    def object_event(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        _object_event(place_of(Caller(account_id, bucket.region_name)), bucket, event_name, key)

    setattr(Rule, "send_to_targets", send_to_targets)  # noqa: B010 a mend of moto, not an oversight
    setattr(notifications, "_send_event_bridge_message", object_event)  # noqa: B010 the same


def _object_event(place: Place, bucket: Any, event_name: str, key: Any) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""
    _, what, reason, *_ = [*event_name.split(":"), ""]
    kinds = {"ObjectCreated": "Object Created", "ObjectRemoved": "Object Deleted", "ObjectTagging": "Object Tags Added"}
    if what not in kinds:
        return
    about = {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), "sequencer": uuid.uuid4().hex[:16]}
    if key.version_id not in {None, "null"}:
        about["version-id"] = key.version_id
    named = {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject"}
    detail = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": about,
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": place.account,
        "source-ip-address": "127.0.0.1",
        "reason": named.get(reason, "CompleteMultipartUpload"),
    }
    send(place, "aws.s3", kinds[what], detail, [bucket.arn])


def _pass(place: Place, rule: Any, event: Json) -> None:
    """Give an event to the targets of a rule that matches it; a target that fails does not keep it from the others."""
    if rule.state != "ENABLED" or not rule.event_pattern.matches_event(cast("Any", event)):
        return
    for target in rule.targets:
        _try(place, rule, target, json.loads(target["Input"]) if "Input" in target else event)


def _try(place: Place, rule: Any, target: Json, event: Json) -> None:
    """Deliver, and try again what may pass; what stays undeliverable goes to the target's dead letter queue.

    A target that is not there or takes nothing is not tried again:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """
    allowed = int(target.get("RetryPolicy", {}).get("MaximumRetryAttempts", len(RETRIES)))
    for attempt, seconds in enumerate((*RETRIES[:allowed], None)):
        try:
            deliver(place, target["Arn"], event, rule.arn)
        except Exception as error:
            final = isinstance(error, ClientError | ServiceError) and _code(error) not in PASSING
            if final or seconds is None:
                log.exception("EventBridge target %s of rule %s", target["Arn"], rule.name)
                _keep(place, rule, target, event, (error, attempt))
                return
            clock.skip(seconds, f"target {target['Arn']} of rule {rule.name} is tried again")
        else:
            return


def _keep(place: Place, rule: Any, target: Json, event: Json, failed: tuple[Exception, int]) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html."""
    queue = target.get("DeadLetterConfig", {}).get("Arn")
    if not queue:
        return
    error, retries = failed
    told = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": _code(error),
        "ERROR_MESSAGE": str(error),
        "RETRY_ATTEMPTS": str(retries),
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
    sqs = place.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=queue.split(":")[5])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event), MessageAttributes=attributes)
        queue_alarms.decide(place.account, place.region)
    except ClientError:
        log.exception("dead letter queue %s of rule %s", queue, rule.name)


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return error.code if isinstance(error, ServiceError) else type(error).__name__


@dataclass(frozen=True)
class Delivery:
    """An event on its way to a target: the resource of its ARN, and the rule that sent it, if one did."""

    place: Place
    resource: str
    event: Json
    rule: str = ""


def deliver(place: Place, arn: str, event: Json, rule: str = "") -> None:
    """Hand an event to a target by its ARN."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    if service not in TARGETS:
        log.error("target %s: the embedded AWS delivers to %s only", arn, ", ".join(TARGETS))
        return
    TARGETS[service](Delivery(place, resource, event, rule))


def _start_build(delivery: Delivery) -> None:
    delivery.place.client("codebuild").start_build(projectName=delivery.resource.split("/")[1])


def _send_message(delivery: Delivery) -> None:
    sqs = delivery.place.client("sqs")
    url = sqs.get_queue_url(QueueName=delivery.resource)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(delivery.event))


def _invoke(delivery: Delivery) -> None:
    name, payload = delivery.resource.removeprefix("function:"), json.dumps(delivery.event).encode()
    delivery.place.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=payload)


def _publish(delivery: Delivery) -> None:
    topic = delivery.place.arn("sns", delivery.resource)
    delivery.place.client("sns").publish(TopicArn=topic, Message=json.dumps(delivery.event))


TARGETS: dict[str, Callable[[Delivery], None]] = {
    "codebuild": _start_build,
    "lambda": _invoke,
    "sns": _publish,
    "sqs": _send_message,
}
"""By service; those that live in this process, and need more of it, put themselves here."""
