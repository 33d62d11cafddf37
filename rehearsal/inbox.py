"""What people are told: a queue of the rehearsal's own that subscribes to the environment's notices."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

WAIT_SECONDS = 20


@dataclass(frozen=True)
class Notice:
    """One message as a subscriber gets it."""

    subject: str
    message: str


class Inbox:
    """Hears of everything published from now on."""

    def __init__(self, sns: Any, sqs: Any, topic: str) -> None:
        self._sqs = sqs
        self._queue = sqs.create_queue(QueueName="rehearsal-inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def next(self) -> Notice | None:
        """The next notice, waited for a while; None if there is none."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            for message in self._sqs.receive_message(QueueUrl=self._queue).get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                told = json.loads(message["Body"])
                return Notice(told.get("Subject", ""), told["Message"])
            time.sleep(0.1)
        return None
