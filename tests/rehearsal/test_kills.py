"""Killed at random moments: a step, the embedded AWS, the command. Nothing is left over, nothing is half written."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.rehearse import rehearsal_plan
from operations.executions import Outcome, follow_execution, retry_execution
from rehearsal import session
from rehearsal.story import Rehearsal
from stacks.config import ROOT

pytestmark = pytest.mark.long

MOMENTS = random.Random(2013)
STEP_MOMENTS = [MOMENTS.uniform(0.2, 5) for _ in range(12)]
AWS_MOMENTS = [MOMENTS.uniform(0.5, 26) for _ in range(9)]
COMMAND_MOMENTS = [MOMENTS.uniform(0.5, 26) for _ in range(9)]
PATIENCE_SECONDS = 30
KILLED = "exit code: 137"


def processes() -> list[tuple[int, int, str]]:
    """Process, parent and command of everything that runs."""
    listed = subprocess.run(["ps", "-Ao", "pid=,ppid=,stat=,command="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return [(int(row[0]), int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith("Z")]


def eventually(happened: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if happened():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    """Deployed, with data, and no run yet."""
    with session.start(rehearsal_plan("dev", "flight_delay", scenes=()), tell=lambda _: None) as running:
        running.run()
        running.upload(("2013-01", "2013-02", "2013-03", "2013-04"))
        yield running


def versions(rehearsal: Rehearsal) -> list[dict[str, Any]]:
    sagemaker = rehearsal.aws.client("sagemaker", rehearsal.plan.account, rehearsal.plan.region)
    listed = sagemaker.list_model_packages(ModelPackageGroupName=rehearsal.plan.pipeline)["ModelPackageSummaryList"]
    return [sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"]) for one in listed]


def there(rehearsal: Rehearsal, uri: str) -> bool:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3 = rehearsal.aws.client("s3", rehearsal.plan.account, rehearsal.plan.region)
    return bool(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])


@pytest.fixture(scope="module")
def hits() -> list[str]:
    """Failures of the runs that a kill struck; some moments lie between two steps."""
    return []


@pytest.mark.parametrize("moment", STEP_MOMENTS, ids=lambda moment: f"after {moment:.1f} s")
def test_a_step_is_killed(rehearsal: Rehearsal, hits: list[str], moment: float) -> None:
    """The run fails and says so, a retry finishes it, and one version is registered, whole."""
    sagemaker = rehearsal.aws.client("sagemaker", rehearsal.plan.account, rehearsal.plan.region)
    before = len(versions(rehearsal))
    parameters = {"seed": str(int(moment * 1000)), "max_depth": "4"}
    answer = rehearsal.ask(period="2013-04", parameters=parameters)

    time.sleep(moment)
    server = rehearsal.aws._process.pid
    jobs = [pid for pid, parent, command in processes() if parent == server and "-m pipeline_code" in command]
    for job in jobs:
        os.killpg(job, signal.SIGKILL)
    *_, outcome = follow_execution(sagemaker, answer.execution, every_seconds=0.1)

    assert isinstance(outcome, Outcome)
    if outcome.status == "Failed":
        hits.append(outcome.failure)
        assert KILLED in outcome.failure
        assert len(versions(rehearsal)) == before
        retry_execution(sagemaker, answer.execution)
        *_, outcome = follow_execution(sagemaker, answer.execution, every_seconds=0.1)
    assert isinstance(outcome, Outcome)
    assert outcome.status == "Succeeded", outcome.failure
    assert len(versions(rehearsal)) == before + 1
    for version in versions(rehearsal):
        assert there(rehearsal, version["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
        assert there(rehearsal, version["CustomerMetadataProperties"]["provenance"])


def test_most_moments_struck_and_not_always_the_same_step(hits: list[str]) -> None:
    struck = {failure.split(":")[0] for failure in hits}

    assert len(hits) >= len(STEP_MOMENTS) / 2
    assert len(struck) > 1, struck


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def begin(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(Path(sys.executable).parent / "slipway"), "rehearse"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_the_port(running: subprocess.Popen[str]) -> int:
    assert running.stdout
    for line in running.stdout:
        if "http://localhost:" in line:
            return int(line.rsplit(":", 1)[1])
    raise AssertionError("it ended before its server was up")


def server_of(running: subprocess.Popen[str]) -> int:
    return next(pid for pid, parent, command in processes() if parent == running.pid and "rehearsal.server" in command)


def nothing_left(folder: Path, port: int) -> bool:
    return not listens(port) and not [command for _, _, command in processes() if str(folder) in command]


@pytest.mark.parametrize("moment", AWS_MOMENTS, ids=lambda moment: f"after {moment:.1f} s")
def test_the_embedded_aws_is_killed(tmp_path: Path, moment: float) -> None:
    with begin(tmp_path) as running:
        port = until_the_port(running)
        assert running.stderr
        time.sleep(moment)
        jobs = [pid for pid, parent, _ in processes() if parent == server_of(running)]
        os.kill(server_of(running), signal.SIGKILL)
        said = running.communicate()[1]

    assert running.returncode == 1
    assert said.startswith("slipway: the embedded AWS ended (signal 9); run it again")
    assert "Traceback" not in said
    assert eventually(lambda: nothing_left(tmp_path, port))
    assert eventually(lambda: not {pid for pid, _, _ in processes()} & set(jobs))
    assert list(tmp_path.glob("slipway-rehearsal-*")) == []


@pytest.mark.parametrize("moment", COMMAND_MOMENTS, ids=lambda moment: f"after {moment:.1f} s")
def test_the_command_is_killed(tmp_path: Path, moment: float) -> None:
    with begin(tmp_path) as running:
        port = until_the_port(running)
        time.sleep(moment)
        running.kill()

        assert eventually(lambda: nothing_left(tmp_path, port))


def test_the_next_run_finishes_and_sweeps_up(tmp_path: Path) -> None:
    with begin(tmp_path) as running:
        until_the_port(running)
        running.kill()
    (left,) = tmp_path.glob("slipway-rehearsal-*")  # who is killed cannot tidy up
    command = [str(Path(sys.executable).parent / "slipway"), "rehearse", "--json", str(tmp_path / "facts.json")]

    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "facts.json").read_text())["versions"]) == 3
    assert not left.exists()
    assert list(tmp_path.glob("slipway-rehearsal-*")) == []
