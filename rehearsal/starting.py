"""What an execution starts with: its parameters' values, and the results that a selective execution takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal import parameters
from rehearsal.api import ServiceError
from rehearsal.executions import Execution, StepRun
from rehearsal.graph import needs

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


def given_values(definition: Json, given: list[Json]) -> Json:
    """A value for each declared parameter; refuses to start with all mistakes at once."""
    values, problems = parameters.values(definition, given)
    if problems:
        raise _refused("; ".join(problems))
    return values


def reuse(execution: Execution, executions: Mapping[str, Execution]) -> None:
    """Give a selective execution the results of the steps it does not run, from the execution it refers to.

    https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-selective-ex.html
    """
    selected = execution.selected
    if selected is None:
        return
    upstream = _upstream(execution.definition["Steps"], selected)
    source_arn = execution.request["SelectiveExecutionConfig"].get("SourcePipelineExecutionArn")
    if not upstream and source_arn is None:
        return
    source = _source(execution, executions, source_arn, upstream)
    for name, run in source.steps.items():
        if name in upstream and run.result is not None:
            execution.steps[name] = _reused(run, source.arn)
    missing = sorted(upstream - set(execution.steps))
    if missing:
        raise _refused(f"steps {', '.join(missing)} did not succeed in {source.arn}; select them too")


def _upstream(steps: list[Json], selected: set[str]) -> set[str]:
    """The steps whose results the selected ones need; raises for steps that are unknown or not connected."""
    known = {step["Name"]: step for step in steps}
    unknown = sorted(selected - set(known))
    if unknown:
        raise _refused(
            f"SelectedSteps {', '.join(unknown)} are no steps of this pipeline; steps are {', '.join(known)}"
        )
    inner = {name: needs(step, branches=True) for name, step in known.items()}
    upstream: set[str] = set()
    wanted = [name for chosen in selected for name in inner[chosen] if name not in selected]
    while wanted:
        name = wanted.pop()
        upstream.add(name)
        gap = sorted(_all_before(name, inner) & selected)
        if gap:
            raise _refused(f"step {name} lies between selected steps, after {', '.join(gap)}; select it too")
    return upstream


def _all_before(name: str, inner: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    wanted = [name]
    while wanted:
        for before in inner.get(wanted.pop(), set()) - found:
            found.add(before)
            wanted.append(before)
    return found


def _source(
    execution: Execution, executions: Mapping[str, Execution], arn: str | None, upstream: set[str]
) -> Execution:
    if arn is None:
        raise _refused(f"the selected steps need {', '.join(sorted(upstream))}; give SourcePipelineExecutionArn")
    source = executions.get(arn)
    if source is None or source.pipeline_arn != execution.pipeline_arn:
        raise _refused(f"{arn} is no execution of pipeline {execution.pipeline_name}")
    if source.status not in {"Succeeded", "Failed"}:
        raise _refused(f"{arn} is {source.status}; a source execution has Succeeded or Failed")
    return source


def _reused(run: StepRun, source: str) -> StepRun:
    return StepRun(
        run.name,
        run.kind,
        run.about,
        status="Succeeded",
        started=run.started,
        ended=run.ended,
        metadata=run.metadata,
        result=run.result,
        reused_from=source,
    )


def _refused(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
