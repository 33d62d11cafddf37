"""EventBridge: events that AWS services send by themselves, delivered to the rules that match them."""

from __future__ import annotations

import json
import logging
import uuid
from typing import TYPE_CHECKING, Any, cast

from moto.events.models import events_backends

from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.api import Json
    from rehearsal.resources import Place

log = logging.getLogger(__name__)


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
        if rule.state == "ENABLED" and rule.event_pattern.matches_event(cast("Any", event)):
            for target in rule.targets:
                _deliver(place, target["Arn"], event)


def _deliver(place: Place, arn: str, event: Json) -> None:
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    deliver = TARGETS.get(service)
    if deliver is None:
        log.error("EventBridge target %s: the embedded AWS delivers to %s only", arn, ", ".join(TARGETS))
        return
    deliver(place, resource, event)


def _start_build(place: Place, resource: str, _event: Json) -> None:
    place.client("codebuild").start_build(projectName=resource.split("/")[1])


def _send_message(place: Place, resource: str, event: Json) -> None:
    sqs = place.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=resource)["QueueUrl"], MessageBody=json.dumps(event))


TARGETS: dict[str, Callable[[Place, str, Json], None]] = {"codebuild": _start_build, "sqs": _send_message}
