"""Alarms on what waits in queues: decided when an event is left there unheard, and when an alarm is looked at.

CloudWatch counts each queue every minute; here nobody waits for the minute. Whom a raised alarm tells hears of it.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from rehearsal.metrics import COMPARISONS

WATCHED = ("AWS/SQS", "ApproximateNumberOfMessagesVisible")


def install() -> None:
    """Let whoever looks at alarms see those on queues as they are."""
    theirs = CloudWatchResponse.describe_alarms

    def describe_alarms(self: Any) -> Any:
        decide(self.current_account, self.region)
        return theirs(self)

    setattr(CloudWatchResponse, "describe_alarms", describe_alarms)  # noqa: B010 a mend of moto, not an oversight


def decide(account: str, region: str) -> None:
    """Decide every alarm on a queue by what waits there now."""
    queues = sqs_backends[account][region].queues
    for alarm in list(cloudwatch_backends[account][region].alarms.values()):
        names = [dimension.value for dimension in alarm.dimensions if dimension.name == "QueueName"]
        if (alarm.namespace, alarm.metric_name) == WATCHED and names and names[0] in queues:
            _decide(alarm, account, queues[names[0]].approximate_number_of_messages)


def _decide(alarm: Any, account: str, waiting: int) -> None:
    state = "ALARM" if COMPARISONS[alarm.comparison_operator](waiting, alarm.threshold) else "OK"
    if state == alarm.state_value:
        return
    reason = f"{alarm.metric_name} {alarm.statistic} is {waiting}, the threshold {alarm.threshold:g}"
    alarm.update_state(reason, "{}", state)
    actions = alarm.alarm_actions if state == "ALARM" else alarm.ok_actions
    told = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "NewStateValue": state,
        "NewStateReason": reason,
        "AlarmArn": alarm.alarm_arn,
    }
    for topic in (actions or []) if alarm.actions_enabled else []:
        subject = f'{state}: "{alarm.name}" in {alarm.region_name}'
        sns_backends[account][alarm.region_name].publish(message=json.dumps(told), arn=topic, subject=subject)
