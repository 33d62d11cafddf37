"""Starts training, whatever asks for it: a person, the schedule, the arrival of a period, changed code, drift.

One door for all of them: the same request is carried out once, one run a model at a time, the latest request waits and
begins when the run ends, or when the image it is to run in has been built. Why and for whom a run was started is part
of it.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.champion import ChampionPlace, ensure_champion_record
from operations.executions import ENDED, latest_execution, start_execution
from operations.listings import DataPlace, latest_period, write_listing
from operations.turns import Turns, TurnTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MANUAL = "manual"
REASONS = (MANUAL, "schedule", "arrival", "code", "drift")
TRAIN = "Train"
"""The step after which a model is somebody's."""

STARTED, WAITS, SEEN = "started", "waits", "seen"


class RequestError(Exception):
    """What is wrong with a request, one line each, with what is allowed."""


@dataclass(frozen=True)
class ModelPlace:
    """What the starter must know of a model; its owner is the author of what no person asked for.

    `source` is the parameter that says what its folder held when it was deployed last.
    """

    pipeline: str
    data: DataPlace
    champion: ChampionPlace
    owner: str
    source: str = ""


@dataclass(frozen=True)
class Answer:
    """What became of a request; `execution` is the one it started, or the one it waits for if it is no image."""

    outcome: str
    execution: str
    period: str


@dataclass(frozen=True)
class Starter:
    """`models` by name; `ranges` are the limits of pipeline parameters that are numbers, bounds included.

    `image_digest` tells which content the server's image has now: a version of the run is bound to it. `unbuilt` says
    that its build is still to come; what nobody waits for the answer of waits for it.
    """

    sagemaker: Any
    s3: Any
    table: TurnTable
    models: Mapping[str, ModelPlace]
    image_digest: Callable[[], str]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    now: Callable[[], float] = time.time
    unbuilt: Callable[[], bool] = lambda: False
    ssm: Any = None

    def ask(self, request: Mapping[str, Any]) -> Answer:
        """Carry out a request: {model, reason, token} and maybe {period, started_by, parameters}.

        One by hand says its author, too; only the function that proved who that is may ask so.
        """
        asked = self._checked(request)
        model = str(asked["model"])
        self._check_source(asked)
        asked["period"] = asked.get("period") or latest_period(self.s3, self.models[model].data)
        self._free(model)
        before, after = self.table.change(model, lambda turns: self._decide(turns, asked))
        if asked["token"] in before.seen:
            return Answer(SEEN, before.execution, str(asked["period"]))
        if after.request is None:  # the image may have been built before anybody knew that this waits for it
            return self._pass_on(model) or Answer(WAITS, "", str(asked["period"]))
        if after.request != asked or before.request == asked:
            return Answer(WAITS, after.execution, str(asked["period"]))
        return Answer(STARTED, self._start(model, asked), str(asked["period"]))

    def ended(self, execution: str) -> Answer | None:
        """An execution ended: what waited behind it begins."""
        for model, place in self.models.items():
            if f":pipeline/{place.pipeline}/execution/" in execution:
                return self._pass_on(model, execution)
        return None

    def built(self, model: str) -> Answer | None:
        """The image has been built: what waited for it begins, unless a run has the turn."""
        self._adopt(model)
        return self._pass_on(model)

    def _decide(self, turns: Turns, asked: dict[str, Any]) -> Turns:
        if asked["token"] in turns.seen:
            return turns
        waits = turns.request or (asked["reason"] != MANUAL and self.unbuilt())
        return turns.wait(asked) if waits else turns.take(asked, self.now())

    def _free(self, model: str) -> None:
        """An end that nobody heard of must not block the model, nor a start that was broken off."""
        turns = self.table.read(model)
        if turns.execution and self._status(turns.execution) in ENDED:
            self._pass_on(model, turns.execution)
        elif turns.broken_off(self.now()) and turns.request:
            self._start(model, turns.request)
        elif turns.request is None:
            self.built(model)

    def _adopt(self, model: str) -> None:
        """A run that was started or retried past this door, in Studio for one, has its turn all the same."""
        execution = latest_execution(self.sagemaker, self.models[model].pipeline, "Executing", "Stopping")
        if execution is None:
            return
        adopted = {"model": model, "reason": MANUAL, "token": execution, "period": ""}

        def step(turns: Turns) -> Turns:
            return turns if turns.request else turns.take(adopted, self.now()).running(execution)

        self.table.change(model, step)

    def _pass_on(self, model: str, execution: str = "") -> Answer | None:
        """The turn of an execution that ended, or of nobody, goes to what waits, as soon as there is an image."""

        def step(turns: Turns) -> Turns:
            if turns.execution != execution or (turns.request and not execution):
                return turns
            return turns.rest() if turns.waiting and self.unbuilt() else turns.pass_on(self.now())

        before, after = self.table.change(model, step)
        if after.request is None and after.waiting and not self.unbuilt():
            return self._pass_on(model)  # built in the meantime, when it was not known that this waits for it
        if after == before or after.request is None:
            return None
        return Answer(STARTED, self._start(model, after.request), str(after.request["period"]))

    def _start(self, model: str, asked: dict[str, Any]) -> str:
        """Start the execution; the token makes that happen once, however often it is tried."""
        place = self.models[model]
        try:
            ensure_champion_record(self.s3, place.champion)
            execution = start_execution(
                self.sagemaker,
                pipeline=place.pipeline,
                period=str(asked["period"]),
                token=_token(asked),
                parameters={
                    "Listing": write_listing(self.s3, place.data, str(asked["period"])),
                    "ServeImageDigest": self.image_digest(),
                    "Reason": str(asked["reason"]),
                    "StartedBy": str(asked.get("started_by") or "unknown"),
                    "Author": str(asked["author"] if asked["reason"] == MANUAL else place.owner),
                    **{name: str(value) for name, value in asked.get("parameters", {}).items()},
                },
                steps=tuple(asked.get("steps", ())),
                source=asked.get("source"),
            )
        except Exception:
            self._give_up(model, asked)
            raise
        self.table.change(model, lambda turns: _noted(turns, asked, execution))
        return execution

    def _give_up(self, model: str, asked: dict[str, Any]) -> None:
        """A request that cannot be started gives its turn back, and may be made again."""

        def step(turns: Turns) -> Turns:
            if turns.request != asked:
                return turns
            seen = tuple(token for token in turns.seen if token != asked["token"])
            return Turns(waiting=turns.waiting, seen=seen)

        self.table.change(model, step)

    def _status(self, execution: str) -> str:
        return str(
            self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
        )

    def _checked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        problems = []
        if request.get("model") not in self.models:
            problems.append(f"model {request.get('model')!r}; models are {', '.join(self.models)}")
        if request.get("reason") not in REASONS:
            problems.append(f"reason {request.get('reason')!r}; reasons are {', '.join(REASONS)}")
        if not request.get("token"):
            problems.append("no token; give one that is the same whenever the request is the same")
        if (request.get("reason") == MANUAL) != bool(request.get("author")):
            problems.append(f"author {request.get('author')!r}; a run by hand has one, of any other it is the owner")
        problems += [self._out_of_range(name, value) for name, value in dict(request.get("parameters") or {}).items()]
        found = [problem for problem in problems if problem]
        if found:
            raise RequestError("\n".join(found))
        return dict(request)

    def _check_source(self, asked: Mapping[str, Any]) -> None:
        """A model is of whoever asked for its training; who takes it from another's run would take the name off it."""
        source = asked.get("source")
        if not source or TRAIN in asked.get("steps", ()):
            return
        try:
            pages = self.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(
                PipelineExecutionArn=source
            )
            given = {each["Name"]: each["Value"] for page in pages for each in page["PipelineParameters"]}
        except ClientError as error:
            raise RequestError(f"source {source}: {error.response['Error']['Message']}") from None
        author = given.get("Author", "")
        if author.casefold() != str(asked.get("author", "")).casefold():
            raise RequestError(
                f"source {source} trained a model of {author or 'nobody known'}, who stays its author; "
                f"let step {TRAIN} run again, or let {author or 'the owner'} ask"
            )

    def _out_of_range(self, name: str, value: Any) -> str:
        if name not in self.ranges:
            return f"parameter {name!r} cannot be set; those that can are {', '.join(sorted(self.ranges))}"
        least, most = self.ranges[name]
        try:
            fits = least <= float(value) <= most
        except (TypeError, ValueError):
            fits = False
        return "" if fits else f"parameter {name} is {value!r}; give a number from {least:g} to {most:g}"


def _noted(turns: Turns, asked: dict[str, Any], execution: str) -> Turns:
    """The state with the execution's ARN, if the turn is still this request's."""
    return turns.running(execution) if turns.request == asked else turns


def _token(asked: Mapping[str, Any]) -> str:
    """ClientRequestToken: of the length SageMaker wants, the same for the same request."""
    return hashlib.sha256(f"{asked['model']}|{asked['reason']}|{asked['token']}".encode()).hexdigest()
