"""What an endpoint answers: asked as a user would, compared with what the version's trainer gave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.versions import Checked

TOLERANCE = 1e-6
PROBES_A_POLL = 3
NAMESPACE, METRIC = "Slipway/Releases", "FailedProbes"


class AnswerError(Exception):
    """An answer that is not a prediction."""


def ask(runtime: Any, endpoint: str, row: str) -> float:
    """The probability for a row; raises AnswerError for an answer of another form."""
    answer = runtime.invoke_endpoint(
        EndpointName=endpoint, Body=row.encode(), ContentType="text/csv", Accept="application/json"
    )
    body = answer["Body"].read()
    try:
        return float(json.loads(body)["predictions"][0]["probability"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise AnswerError(f"the endpoint answers {body[:200]!r}, which is no prediction") from None


def probe(client: Callable[[str], Any], endpoint: str, checked: Checked) -> None:
    """Ask while traffic goes over; what fails is told in the metric that an alarm of the release watches."""
    runtime, failed = client("sagemaker-runtime"), 0
    for row in checked.rows[:PROBES_A_POLL]:
        try:
            ask(runtime, endpoint, row)
        except ClientError as error:
            failed += error.response["Error"]["Code"] == "ModelError"  # else there is no endpoint yet
        except (AnswerError, BotoCoreError):  # no answer in time is as bad as a wrong one
            failed += 1
    if failed:
        dimensions = [{"Name": "EndpointName", "Value": endpoint}]
        told = {"MetricName": METRIC, "Value": failed, "Dimensions": dimensions}
        client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[told])


def smoke(runtime: Any, endpoint: str, checked: Checked) -> str | None:
    """What is wrong with the endpoint's answers; None if they are the trainer's."""
    try:
        found = [ask(runtime, endpoint, row) for row in checked.rows]
    except (ClientError, BotoCoreError, AnswerError) as error:
        return f"smoke test: {error}"
    off = [abs(ours - theirs) for ours, theirs in zip(found, checked.probabilities, strict=True)]
    wrong = [each for each in off if not each <= TOLERANCE]  # so that NaN is wrong, too
    return f"smoke test: {len(wrong)} of {len(off)} answers are {wrong[0]:.2g} off the trainer's" if wrong else None
