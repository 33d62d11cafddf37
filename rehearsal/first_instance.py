"""A request that finds no instance: until scaling brings the first one time passes, at once, as other waits do.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rehearsal import metrics
from rehearsal.api import ServiceError
from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.fleet import Fleet

MINUTE_SECONDS, MOST_MINUTES = 60, 5
GATHERING_SECONDS = 0.2
"""Requests that come together are seen together."""

_awaited: set[tuple[str, str]] = set()


def refused(fleet: Fleet) -> ServiceError:
    """What a component without a copy answers in SageMaker's words, after it told CloudWatch."""
    named = {"InferenceComponentName": fleet.origin.component}
    metrics.put(fleet.place, "AWS/SageMaker", {"NoCapacityInvocationFailures": 1.0}, named)
    hasten(fleet.place.account, fleet.origin.endpoint, lambda: fleet.instances > 0)
    message = (
        "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress "
        "(if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
    )
    return ServiceError("ValidationError", message)


def hasten(account: str, name: str, there: Callable[[], bool]) -> None:
    """Let minutes pass until there is one; where no policy brings it, only some, and requests go on waiting."""
    if (account, name) not in _awaited:
        _awaited.add((account, name))
        threading.Thread(target=_pass, args=(account, name, there), daemon=True).start()


def _pass(account: str, name: str, there: Callable[[], bool]) -> None:
    try:
        threading.Event().wait(GATHERING_SECONDS)
        for _ in range(MOST_MINUTES):
            if there():
                return
            clock.skip(MINUTE_SECONDS, f"a request to endpoint {name}: there is no instance, and scaling is asked")
    finally:
        _awaited.discard((account, name))
