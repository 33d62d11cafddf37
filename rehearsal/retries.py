"""Retry policies of pipeline steps: which failure is tried again, after how long, how often.

https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rehearsal.faults import EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

RETRIED_KINDS = ("Processing", "Training", "RegisterModel")
"""Step types here that may carry policies."""

KEYS = ("ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin")
MAX_INTERVAL_SECONDS, MAX_ATTEMPTS, MAX_EXPIRE_MINUTES = 43_200, 20, 14_400
DEFAULT_INTERVAL_SECONDS, DEFAULT_BACKOFF, DEFAULT_ATTEMPTS = 1, 2.0, 5

BY_ITSELF: Json = {"ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"]}
"""What Pipelines retries without being told to; a policy that names the exception takes its place."""


@dataclass
class Policy:
    """One policy and how often it was used."""

    exceptions: frozenset[str]
    interval: float
    backoff: float
    attempts: int | None
    expire_minutes: int | None
    used: int = 0

    @classmethod
    def of(cls, given: Json) -> Policy:
        expire = given.get("ExpireAfterMin")
        return cls(
            exceptions=frozenset(given["ExceptionType"]),
            interval=given.get("IntervalSeconds", DEFAULT_INTERVAL_SECONDS),
            backoff=given.get("BackoffRate", DEFAULT_BACKOFF),
            attempts=given.get("MaxAttempts", None if expire is not None else DEFAULT_ATTEMPTS),
            expire_minutes=expire,
        )


class Retries:
    """What the policies of one step still allow, counted from when it began."""

    def __init__(self, policies: Sequence[Json], begun: datetime) -> None:
        self.policies, self.begun = [Policy.of(given) for given in [*policies, BY_ITSELF]], begun

    def wait(self, exception: str | None, now: datetime) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        policy = next((policy for policy in self.policies if exception in policy.exceptions), None)
        if policy is None or (policy.attempts is not None and policy.used >= policy.attempts):
            return None
        seconds = policy.interval * policy.backoff**policy.used
        expires = policy.expire_minutes
        if expires is not None and now + timedelta(seconds=seconds) > self.begun + timedelta(minutes=expires):
            return None
        policy.used += 1
        return seconds


def mistakes(policies: Any, kind: str) -> list[str]:
    """What is wrong with a step's policies; empty if nothing is."""
    if kind not in RETRIED_KINDS:
        return [f"a {kind} step has no retry policies; steps that have are {', '.join(RETRIED_KINDS)}"]
    found: list[str] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        found += [f"[{index}]: {line}" for line in _policy_mistakes(policy)]
        named = set(policy.get("ExceptionType", []))
        found += [f"[{index}]: {name} stands in two policies" for name in sorted(named & seen)]
        seen |= named
    return found


def _policy_mistakes(policy: Json) -> list[str]:
    known = (*EXCEPTIONS.values(),)
    found = [f"{key!r} is unknown; known are {', '.join(KEYS)}" for key in policy if key not in KEYS]
    exceptions = policy.get("ExceptionType")
    if not isinstance(exceptions, list) or not exceptions:
        found.append("ExceptionType must be a list of exception types")
    else:
        found += [
            f"{name!r} is no exception type; known are {', '.join(known)}" for name in exceptions if name not in known
        ]
    if "MaxAttempts" in policy and "ExpireAfterMin" in policy:
        found.append("give MaxAttempts or ExpireAfterMin, not both")
    limits = {
        "IntervalSeconds": MAX_INTERVAL_SECONDS,
        "MaxAttempts": MAX_ATTEMPTS,
        "ExpireAfterMin": MAX_EXPIRE_MINUTES,
    }
    for key, most in limits.items():
        value = policy.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            found.append(f"{key} is {value!r}; give a whole number from 0 to {most}")
    rate = policy.get("BackoffRate", DEFAULT_BACKOFF)
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or rate < 0:
        found.append(f"BackoffRate is {rate!r}; give a number from 0")
    return found
