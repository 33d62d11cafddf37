"""What an endpoint answers: asked as a user would, compared with what the version's trainer gave.

Each row may be long in coming, so `renew` is called before each: whoever asks still holds the release.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from operations.asking import AskError

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.asking import Served
    from operations.versions import Checked

TOLERANCE = 1e-6
PROBES_A_POLL = 3
NAMESPACE, METRIC = "Slipway/Releases", "FailedProbes"

UNANSWERED = (ClientError, BotoCoreError, AskError)


def probing(served: Served, checked: Checked, renew: Callable[[], None], *, new: bool) -> Callable[[], None]:
    """What is to be called while traffic goes over.

    It blames the new fleet for odd answers only if what is live gave none right before, and never if the version is
    not `new` here: it has been proved, and a way back must not depend on what answers now.
    """
    blames = new and answered(served, checked, renew)
    return partial(probe, served, checked, renew, blames=blames)


def answered(served: Served, checked: Checked, renew: Callable[[], None]) -> bool:
    """Whether what is live gives a prediction for every row: then who gives none afterwards is the new fleet.

    A version that fails, or is of another schema, gives none; nor does an endpoint that is not there yet.
    """
    if not served.at_once:
        return False
    try:
        for row in checked.rows:
            renew()
            served.ask(row)
    except UNANSWERED:
        return False
    return True


def probe(served: Served, checked: Checked, renew: Callable[[], None], *, blames: bool) -> None:
    """Ask while traffic goes over, so that a quiet endpoint shows what the new fleet does.

    Its errors and its slowness SageMaker counts by configuration, and alarms take the release back by them. What
    SageMaker counts for no fleet, refused rows and answers that are no prediction, is told here. Nobody says which
    fleet such an answer is from, so nothing is told unless it `blames` the new one alone.
    """
    config = served.coming() if served.at_once else ""
    if not config:
        return
    failed = 0
    for row in checked.rows[:PROBES_A_POLL]:
        renew()
        failed += _unaccounted(served, row)
    if failed and blames:
        endpoint = [{"Name": "EndpointName", "Value": served.endpoint}]
        fleet = [*endpoint, {"Name": "EndpointConfigName", "Value": config}]
        told = [{"MetricName": METRIC, "Value": failed, "Dimensions": named} for named in (endpoint, fleet)]
        served.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=told)


def _unaccounted(served: Served, row: str) -> bool:
    """Whether there is no prediction, and no error that SageMaker counts by the fleet that made it."""
    try:
        served.ask(row)
    except ClientError as error:
        told = error.response
        status = int(told.get("OriginalStatusCode", 0))
        return told["Error"]["Code"] == "ModelError" and status < HTTPStatus.INTERNAL_SERVER_ERROR
    except (AskError, BotoCoreError):  # no answer in time is as bad as a wrong one
        return True
    return False


def smoke(served: Served, checked: Checked, renew: Callable[[], None]) -> str | None:
    """What is wrong with the answers; None if they are the trainer's."""
    found = []
    try:
        for row in checked.rows:
            renew()
            found.append(served.ask(row))
    except UNANSWERED as error:
        return f"smoke test: {error}"
    off = [abs(ours - theirs) for ours, theirs in zip(found, checked.probabilities, strict=True)]
    wrong = [each for each in off if not each <= TOLERANCE]  # so that NaN is wrong, too
    return f"smoke test: {len(wrong)} of {len(off)} answers are {wrong[0]:.2g} off the trainer's" if wrong else None
