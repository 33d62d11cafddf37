"""Who writes what, the order that follows, and how one step refers to another."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import EXTERNAL, ContractError, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]


def join(on: str, *values: Any) -> Json:
    return {"Std:Join": {"On": on, "Values": list(values)}}


class Graph:
    """Who writes what, and the order that follows."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._writers: dict[str, Step] = {}
        mistakes: list[str] = []
        for step in steps:
            for artifact in step.writes:
                if artifact in self._writers or artifact in EXTERNAL:
                    mistakes.append(
                        f"step {step.name}: {artifact!r} is written already; give the artifact another name"
                    )
                self._writers[artifact] = step
        for step in steps:
            unknown = [a for a in step.reads if a not in self._writers and a not in EXTERNAL]
            if unknown:
                known = sorted({*self._writers, *EXTERNAL})
                mistakes.append(f"step {step.name}: reads {unknown}, which nothing writes; artifacts are {known}")
        if mistakes:
            raise ContractError("\n".join(mistakes))
        self.ordered = self._order(steps)

    def _order(self, steps: Sequence[Step]) -> list[Step]:
        by_name = {step.name: step for step in steps}
        needs = {s.name: sorted(self._writers[a].name for a in s.reads if a in self._writers) for s in steps}
        try:
            return [by_name[name] for name in TopologicalSorter(dict(sorted(needs.items()))).static_order()]
        except CycleError as error:
            raise ContractError(f"steps wait for each other: {' -> '.join(error.args[1])}") from None

    def writer(self, artifact: str) -> Step | None:
        return self._writers.get(artifact)

    def value(self, artifact: str, path: str) -> Json:
        """One value of a step's property file, read when the pipeline runs."""
        writer = self._writers[artifact]
        return {
            "Std:JsonGet": {
                "PropertyFile": {"Get": f"Steps.{title(writer)}.PropertyFiles.{artifact}"},
                "Path": path,
            }
        }

    def uri(self, artifact: str) -> Json:
        """Where an artifact of this execution lies; an error if no step writes it."""
        writer = self.writer(artifact)
        if writer is None:
            raise ContractError(f"no step writes {artifact!r}, which every version needs; let a step write it")
        return output(writer, artifact)


def title(step: Step) -> str:
    """A step's name in SageMaker Studio."""
    return step.name.capitalize()


def output(writer: Step, artifact: str) -> Json:
    """The variable that becomes an artifact's URI when its writer has ended."""
    if writer.kind == "Training":
        return {"Get": f"Steps.{title(writer)}.ModelArtifacts.S3ModelArtifacts"}
    return {"Get": f"Steps.{title(writer)}.ProcessingOutputConfig.Outputs['{artifact}'].S3Output.S3Uri"}
