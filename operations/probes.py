"""What an endpoint answers: asked as a user would, compared with what the version's trainer gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from operations.asking import AskError

if TYPE_CHECKING:
    from operations.asking import Served
    from operations.versions import Checked

TOLERANCE = 1e-6
PROBES_A_POLL = 3
NAMESPACE, METRIC = "Slipway/Releases", "FailedProbes"


def probe(served: Served, checked: Checked) -> None:
    """Ask while traffic goes over; what fails is told in the metric that an alarm of the release watches."""
    failed = 0
    for row in checked.rows[:PROBES_A_POLL] if served.at_once else ():
        try:
            served.ask(row)
        except ClientError as error:
            failed += error.response["Error"]["Code"] == "ModelError"  # else there is no endpoint yet
        except (AskError, BotoCoreError):  # no answer in time is as bad as a wrong one
            failed += 1
    if failed:
        dimensions = [{"Name": "EndpointName", "Value": served.endpoint}]
        told = {"MetricName": METRIC, "Value": failed, "Dimensions": dimensions}
        served.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[told])


def smoke(served: Served, checked: Checked) -> str | None:
    """What is wrong with the answers; None if they are the trainer's."""
    try:
        found = [served.ask(row) for row in checked.rows]
    except (ClientError, BotoCoreError, AskError) as error:
        return f"smoke test: {error}"
    off = [abs(ours - theirs) for ours, theirs in zip(found, checked.probabilities, strict=True)]
    wrong = [each for each in off if not each <= TOLERANCE]  # so that NaN is wrong, too
    return f"smoke test: {len(wrong)} of {len(off)} answers are {wrong[0]:.2g} off the trainer's" if wrong else None
