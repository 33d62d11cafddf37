"""SQS queues and who may send to them."""

from __future__ import annotations

import json

from rehearsal.resources import Json, Place, Provider, tags

ATTRIBUTES = frozenset(
    {
        "KmsMasterKeyId",
        "MessageRetentionPeriod",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    }
)


class Queue(Provider):
    type = "AWS::SQS::Queue"
    known = frozenset({*ATTRIBUTES, "QueueName"})
    fixed = frozenset({"QueueName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        queue = str(properties.get("QueueName", name[:80]))
        given = {tag["Key"]: tag["Value"] for tag in tags(properties)}
        made = place.client("sqs").create_queue(QueueName=queue, Attributes=_attributes(properties), tags=given)
        return str(made["QueueUrl"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        place.client("sqs").set_queue_attributes(QueueUrl=physical_id, Attributes=_attributes(new))

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sqs").get_queue_attributes(QueueUrl=physical_id, AttributeNames=["All"])

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sqs").delete_queue(QueueUrl=physical_id)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        name = physical_id.rsplit("/", 1)[1]
        return {"Arn": place.arn("sqs", name), "QueueName": name, "QueueUrl": physical_id}


class QueuePolicy(Provider):
    type = "AWS::SQS::QueuePolicy"
    known = frozenset({"PolicyDocument", "Queues"})
    fixed = frozenset({"Queues"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        self.update(place, name, {}, properties)
        return name

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        policy = json.dumps(new["PolicyDocument"])
        for queue in new["Queues"]:
            place.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        (queue, *_) = properties["Queues"]
        found = place.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
        return found["Attributes"].get("Policy")

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        """A queue's policy goes with the queue."""


def _attributes(properties: Json) -> dict[str, str]:
    return {key: str(properties[key]) for key in sorted(ATTRIBUTES) if key in properties}
