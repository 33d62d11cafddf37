"""The stack that serves a model: updated with the template it has, watched until it rests, continued if stuck."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations import stuck

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.journal import Lease
    from operations.place import Place

NO_UPDATES, IN_THE_WAY = "No updates are to be performed", "can not be updated"
TRIES = 5
"""How often an update is tried for that somebody else's change of the stack is in the way of."""

POLL_SECONDS, LONGEST_POLL_SECONDS, SLOWER = 0.2, 1.0, 1.2
IN_PROGRESS = "_IN_PROGRESS"


class ReleaseError(Exception):
    """Why there was no release, or why it was taken back; what is live is what was live before."""


@dataclass(frozen=True)
class ServingStack:
    """`client(service)` gives boto3 clients of the serving account; the stack is asked at first often, then less so."""

    client: Callable[[str], Any]
    place: Place
    poll_seconds: float
    tell: Callable[[str], None]

    def update(self, lease: Lease, meanwhile: Callable[[], None] | None = None) -> str | None:
        """Update the serving stack with the template it has, and do what is to be done the while; why it went back."""
        for _ in range(TRIES):
            lease.renew()
            try:
                self.client("cloudformation").update_stack(
                    StackName=self.place.stack,
                    UsePreviousTemplate=True,
                    Parameters=[{"ParameterKey": "Version", "UsePreviousValue": True}],
                    Capabilities=["CAPABILITY_NAMED_IAM"],
                    RoleARN=self.place.deployer,
                )
            except ClientError as error:
                if NO_UPDATES in str(error):
                    return None  # a release that was killed after it had updated the stack
                if IN_THE_WAY not in str(error):
                    return str(error)
                self.settle(lease)  # somebody deploys infrastructure just now
                continue
            stack = self.settle(lease, meanwhile)
            if stack["StackStatus"] in {"UPDATE_COMPLETE", "CREATE_COMPLETE"}:
                return None
            return str(stack.get("StackStatusReason") or stack["StackStatus"])
        return f"stack {self.place.stack} was changed by others {TRIES} times in between; release again"

    def settle(self, lease: Lease, meanwhile: Callable[[], None] | None = None) -> dict[str, Any]:
        """Wait until nothing of the stack is in progress; `meanwhile` is called whenever it was looked at."""
        cloudformation, pause, continued = self.client("cloudformation"), self.poll_seconds, False
        while True:
            (stack,) = cloudformation.describe_stacks(StackName=self.place.stack)["Stacks"]
            status = stack["StackStatus"]
            if status == stuck.STUCK:
                if continued:
                    raise ReleaseError(stuck.why(cloudformation, stack, self.place.deployer))
                self.tell(f"{self.place.stack} is {status}; continuing its rollback")
                cloudformation.continue_update_rollback(StackName=self.place.stack, RoleARN=self.place.deployer)
                continued = True
                continue
            if not status.endswith(IN_PROGRESS) or status.startswith("REVIEW"):
                at_rest: dict[str, Any] = stack
                return at_rest
            lease.renew()
            if meanwhile:
                meanwhile()
            time.sleep(pause)
            pause = min(pause * SLOWER, LONGEST_POLL_SECONDS)
