"""Going back: what an update did is undone in reverse; what resists stops it, and it can be continued.

What was made new is removed last of all and may fail without harm; what was changed has to be as it was, or the stack
is UPDATE_ROLLBACK_FAILED until somebody continues.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.api import ServiceError
from rehearsal.faults import RESISTS, faults

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rehearsal.deployment import Stack

STUCK = "UPDATE_ROLLBACK_FAILED"


@dataclass(frozen=True)
class Undo:
    """One step back: the resource it is about (logical id, type, physical id), and whether its success matters."""

    about: tuple[str, str, str]
    step: Callable[[], None]
    needed: bool = False


class Rollback:
    """Carries out the steps that are left; the last one that was done is the first to be undone."""

    def __init__(self, stack: Stack, verb: str, steps: Sequence[Undo], reason: str) -> None:
        self.stack, self.steps, self.reason = stack, list(steps), reason
        self.prefix = "" if verb == "CREATE" else "UPDATE_"

    def begin(self, reason: str) -> None:
        """So that whoever asks sees it at once."""
        self.stack.rollback = None
        self.stack.happened(f"{self.prefix}ROLLBACK_IN_PROGRESS", reason=reason)

    def run(self) -> None:
        """Until all is undone, or until something that has to be as it was resists."""
        stack = self.stack
        while self.steps:
            undo = self.steps[-1]
            try:
                self._step(undo)
            except Exception as error:  # noqa: BLE001 whatever a resource raises is why it did not go back
                if undo.needed and self.prefix:
                    self._stick(undo, str(error))
                    return
                stack.happened("DELETE_FAILED", undo.about, reason=str(error))
            else:
                if undo.needed:
                    stack.happened("UPDATE_COMPLETE", undo.about)
            self.steps.pop()
        stack.happened(f"{self.prefix}ROLLBACK_COMPLETE", reason=self.reason)

    def skip(self, names: Sequence[str]) -> None:
        """Leave resources as they are; raises ServiceError for others than those that failed to go back."""
        stuck = self.steps[-1]
        wrong = sorted(set(names) - {stuck.about[0]})
        if wrong:
            message = (
                f"Only resources that failed to roll back may be skipped: {', '.join(wrong)} did not, "
                f"{stuck.about[0]} did"
            )
            raise ServiceError("ValidationError", message)
        if names:
            self.stack.happened("UPDATE_COMPLETE", self.steps.pop().about)

    def _step(self, undo: Undo) -> None:
        name = undo.about[0]
        if undo.needed and faults.take(f"{self.stack.name}/{name}") == RESISTS:
            raise RuntimeError(f"{name} resists, as it was ordered to")
        undo.step()

    def _stick(self, undo: Undo, because: str) -> None:
        self.stack.rollback = self
        self.stack.happened("UPDATE_FAILED", undo.about, reason=because)
        self.stack.happened(STUCK, reason=f"The following resource(s) failed to update: [{undo.about[0]}]. ")
