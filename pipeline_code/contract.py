"""The typed border between cloud and code: paths, job environment, what a step and a model declare.

Standard library only, because synth, the CLI and every job read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self

ML_ROOT = "/opt/ml"
"""Where SageMaker mounts a job's inputs and outputs."""

ML_ROOT_VARIABLE = "SLIPWAY_ML_ROOT"
"""Names another root on a laptop; never set in AWS."""

SERVE_PYTHON = "/opt/serve/bin/python"
SERVE_PYTHON_VARIABLE = "SLIPWAY_SERVE_PYTHON"
"""Names another one on a laptop; never set in AWS."""

CHECKPOINTS = PurePosixPath(ML_ROOT, "checkpoints")
"""Where SageMaker keeps a training job's checkpoints in step with S3, if the job was asked to."""

READY_MANIFEST = "_READY.json"
"""The last object of a period to arrive: {"files": {name: {"sha256", "bytes", "version_id"}}}."""

NO_CHAMPION = "none"

# Artifacts that exist before a pipeline runs; every other artifact is written by a step.
PERIODS = "periods"
LISTING = "listing"
CHAMPION = "champion"
PROVENANCE = "provenance"
EXTERNAL = (PERIODS, LISTING, CHAMPION)

TEMPORARY = ("dataset",)
"""Artifacts that can be made again from the periods; they expire, the others stay with the versions they led to."""

FACTS = ("execution", "image_uri", "serve_image_uri", "serve_image_digest", "commit", "reason", "started_by", "author")
"""What a step may be told of its run; it changes from run to run, so a step that is told is never cached."""

Kind = Literal["Processing", "Training"]


def ml_root() -> Path:
    """Where this container's inputs and outputs lie."""
    return Path(os.environ.get(ML_ROOT_VARIABLE, ML_ROOT))


class ContractError(Exception):
    """A broken promise between cloud and code; the message names the value, what is allowed and the fix."""


class DataError(ContractError):
    """Data that does not keep its promises; lists every problem found, each with the file and the fix."""

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{subject}: {count}", *(f"- {problem}" for problem in self.problems)]))


@dataclass(frozen=True)
class Step:
    """What one file in steps/ declares; its place in the graph follows from `reads` and `writes`.

    `reads` and `writes` are artifact names. `property_file` ("artifact/file.json") lets later steps and
    conditions read single values at run time; those below its "properties" that `registers` names are strings
    and become metadata of the version. `gated` steps run only when the gates pass. A `cached` step hands on what it
    made before from the same inputs; `told` names the FACTS it needs to know.
    """

    name: str
    kind: Kind
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    property_file: str | None = None
    registers: tuple[str, ...] = ()
    gated: bool = False
    cached: bool = False
    told: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A cached step's request must name all that its results depend on, and nothing that changes by itself."""
        mistakes = [f"told {fact!r}; facts are {', '.join(FACTS)}" for fact in self.told if fact not in FACTS]
        if self.cached and self.told:
            mistakes.append(f"cached, but told {', '.join(self.told)}, which changes with every run; drop one of them")
        if self.cached and CHAMPION in self.reads:
            mistakes.append("cached, but reads the champion, which changes below the same URI; do not cache it")
        if self.cached and PERIODS in self.reads and LISTING not in self.reads:
            mistakes.append("cached, but reads periods without the listing that names their content; read both")
        if mistakes:
            raise ContractError("\n".join(f"step {self.name}: {mistake}" for mistake in mistakes))

    def read_path(self, artifact: str) -> PurePosixPath:
        """Where the job finds an artifact, as the container sees it."""
        folder = "processing/input" if self.kind == "Processing" else "input/data"
        return PurePosixPath(ML_ROOT, folder, artifact)

    def write_path(self, artifact: str) -> PurePosixPath:
        """Where the job leaves an artifact, as the container sees it.

        A training job writes its model to /opt/ml/model, and SageMaker packs it as model.tar.gz:
        https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html
        """
        if self.kind == "Training":
            return PurePosixPath(ML_ROOT, "model")
        return PurePosixPath(ML_ROOT, "processing/output", artifact)


@dataclass(frozen=True)
class JobEnvironment:
    """A job's environment variables: rendered for the pipeline, parsed by the job, never spelt twice.

    Every step knows model and period; the FACTS below only a step that is told.
    """

    model: str
    period: str
    execution: str = ""
    image_uri: str = ""
    serve_image_uri: str = ""
    serve_image_digest: str = ""
    commit: str = ""
    reason: str = ""
    started_by: str = ""
    author: str = ""

    @staticmethod
    def _names(step: Step) -> tuple[str, ...]:
        return ("model", "period", *step.told)

    @staticmethod
    def _variable(name: str) -> str:
        return f"SLIPWAY_{name.upper()}"

    @classmethod
    def render(cls, step: Step, values: Mapping[str, Any]) -> dict[str, Any]:
        """The `Environment` of a step's job request; values may be pipeline variables."""
        return {cls._variable(name): values[name] for name in cls._names(step)}

    @classmethod
    def parse(cls, step: Step, environ: Mapping[str, str]) -> Self:
        values = {name: environ.get(cls._variable(name), "") for name in cls._names(step)}
        missing = [cls._variable(name) for name, value in values.items() if not value]
        if missing:
            raise ContractError(f"job environment: {', '.join(missing)} not set; the pipeline definition sets them")
        return cls(**values)


@dataclass(frozen=True)
class CaptureEnvironment:
    """What a server that keeps a share of its requests must know: rendered for the model, parsed by the server.

    `destination` is an S3 URI or, on a laptop, a folder; `percent` is the share of requests, from 1 to 100.
    """

    destination: str
    percent: int

    def render(self) -> dict[str, str]:
        return {"SLIPWAY_CAPTURE_DESTINATION": self.destination, "SLIPWAY_CAPTURE_PERCENT": str(self.percent)}

    @classmethod
    def parse(cls, variables: Mapping[str, str] = os.environ) -> Self | None:
        """None for a server that captures nothing; raises ContractError for a share that is none."""
        destination, percent = (variables.get(f"SLIPWAY_CAPTURE_{name}", "") for name in ("DESTINATION", "PERCENT"))
        if not destination:
            return None
        if not percent.isdigit() or not 1 <= int(percent) <= 100:  # noqa: PLR2004
            raise ContractError(f"SLIPWAY_CAPTURE_PERCENT = {percent!r}; give a whole number from 1 to 100")
        return cls(destination, int(percent))


@dataclass(frozen=True)
class Job:
    """One run of a step: where its artifacts lie and what it was asked to do."""

    step: Step
    environment: JobEnvironment
    root: Path = field(default_factory=ml_root)

    def read(self, artifact: str) -> Path:
        """The folder of an artifact the step declares to read."""
        if artifact not in self.step.reads:
            raise ContractError(f"step {self.step.name}: reads {self.step.reads}, not {artifact!r}")
        return self._local(self.step.read_path(artifact))

    def write(self, artifact: str) -> Path:
        """The folder of an artifact the step declares to write; made if needed."""
        if artifact not in self.step.writes:
            raise ContractError(f"step {self.step.name}: writes {self.step.writes}, not {artifact!r}")
        folder = self._local(self.step.write_path(artifact))
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def uri(self, artifact: str) -> str:
        """The S3 URI a processing job's input came from, as SageMaker tells it in processingjobconfig.json."""
        config = json.loads((self.root / "config/processingjobconfig.json").read_text())
        for given in config["ProcessingInputs"]:
            if given["InputName"] == artifact:
                return str(given["S3Input"]["S3Uri"])
        raise ContractError(f"processingjobconfig.json has no input {artifact!r}")

    def hyperparameters(self) -> dict[str, str]:
        """A training job's hyperparameters; SageMaker passes all values as strings."""
        loaded: dict[str, str] = json.loads((self.root / "input/config/hyperparameters.json").read_text())
        return loaded

    @property
    def checkpoints(self) -> Path | None:
        """The folder that outlives a machine: what lies there is there again when an interrupted job goes on."""
        folder = self._local(CHECKPOINTS)
        return folder if folder.is_dir() else None

    @property
    def serve_python(self) -> Path:
        """The Python of the server's own lock, which the image holds beside the job's."""
        return Path(os.environ.get(SERVE_PYTHON_VARIABLE, SERVE_PYTHON))

    def explain(self, message: str) -> None:
        """Leave the reason where SageMaker looks for it.

        It becomes the FailureReason of a training job, the ExitMessage of a processing job.
        """
        output = self.root / "output"
        output.mkdir(parents=True, exist_ok=True)
        name, limit = ("failure", 1024) if self.step.kind == "Training" else ("message", 1000)
        (output / name).write_text(message[:limit])

    def _local(self, path: PurePosixPath) -> Path:
        return self.root / path.relative_to(ML_ROOT)


Run = Callable[[Job], None]
"""What a step's `main` is: reads the job's artifacts, calls the step's pure `run`, writes its artifacts."""
