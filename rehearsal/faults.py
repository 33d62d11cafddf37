"""Faults on demand: what AWS does to a step now and then, so that the answer to it can be rehearsed.

The words are those of SageMaker's own failure reasons and error codes:
https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

CAPACITY = "CapacityError"
INTERNAL = "InternalServerError"
LIMIT = "ResourceLimitExceeded"
THROTTLED = "ThrottlingException"
UNAVAILABLE = "ServiceUnavailable"
INTERRUPTED = "SpotInterruption"

REASONS = {
    CAPACITY: "CapacityError: Unable to provision requested ML compute capacity. "
    "Please retry using a different ML instance type.",
    INTERNAL: "InternalServerError: We encountered an internal error. Please try again.",
    LIMIT: "ResourceLimitExceeded: The account-level service limit for this instance type is reached.",
    THROTTLED: "ThrottlingException: Rate exceeded",
    UNAVAILABLE: "ServiceUnavailable: The request has failed due to a temporary failure of the server.",
}
"""What a step that meets the fault fails with; an interruption of a spot instance fails nothing by itself."""

FAILING, SLOW, ODD = "ContainerFails", "ContainerIsSlow", "ContainerAnswersOddly"
"""What befalls the next fleet of an endpoint: every other request is answered with 500; all of them after a second, or
with 200 and no prediction, which no metric of SageMaker's tells."""

CLAIMS = "StackClaimsSuccess"
"""What befalls the update of an endpoint, named `<endpoint>/update`: it goes back, and CloudFormation is content."""

RESISTS = "RollbackFails"
"""What befalls a resource, named `<stack>/<logical id>`, that an update changed: it does not go back."""

CRITICAL_FINDING, HIGH_FINDING, UNSCANNED = "CriticalFinding", "HighFinding", "ScanUnfinished"
"""What befalls the next image that is pushed to the repository of this name: what its scan finds, or that it lasts."""

KINDS = (*REASONS, INTERRUPTED, FAILING, SLOW, ODD, CLAIMS, RESISTS, CRITICAL_FINDING, HIGH_FINDING, UNSCANNED)

EXCEPTIONS = {
    CAPACITY: "SageMaker.CAPACITY_ERROR",
    INTERNAL: "SageMaker.JOB_INTERNAL_ERROR",
    LIMIT: "SageMaker.RESOURCE_LIMIT",
    THROTTLED: "Step.THROTTLING",
    UNAVAILABLE: "Step.SERVICE_FAULT",
}
"""The exception type by which a retry policy names the fault."""


class FaultError(Exception):
    """A fault that nobody knows; names those that are known."""


@dataclass
class Fault:
    """What befalls what has this name, the next `times` times: a step that runs, an endpoint that gets a fleet."""

    step: str
    kind: str
    times: int = 1


class Faults:
    """The faults to come."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, step: str, kind: str, times: int) -> None:
        if kind not in KINDS:
            raise FaultError(f"no fault {kind!r}; faults are {', '.join(KINDS)}")
        with self._lock:
            self._coming.append(Fault(step, kind, times))

    def take(self, step: str) -> str | None:
        """The kind of the next fault of this step, used up by asking."""
        with self._lock:
            for fault in self._coming:
                if fault.step == step and fault.times:
                    fault.times -= 1
                    return fault.kind
        return None


faults = Faults()
"""Those of this process."""


def exception_type(reason: str) -> str | None:
    """The exception type a retry policy names for a failure; None for a fault of the step's own code."""
    return EXCEPTIONS.get(reason.partition(":")[0])
