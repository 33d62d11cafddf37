"""Ctrl-C and SIGTERM in the middle of a rehearsal: a word, no traceback, no process and no folder left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.config import ROOT

LAST = "Ctrl-C ends it."
PHASES = {
    "embedded AWS ...": signal.SIGTERM,
    "cdk bootstrap dev ...": signal.SIGINT,
    "cdk deploy dev ...": signal.SIGTERM,
}
LATER_PHASES = {
    "train 2013-04, arrival ...": signal.SIGINT,
    "cdk synth ...": signal.SIGTERM,
    "read back ...": signal.SIGTERM,
    "upload 2013-01 to 2013-03 ...": signal.SIGTERM,
    "upload 2013-04 ...": signal.SIGINT,
    "release ...": signal.SIGTERM,
    "release on ...": signal.SIGINT,
    "cdk deploy prod ...": signal.SIGTERM,
    "train 2013-06, schedule ...": signal.SIGINT,
    "train 2013-06, manual ...": signal.SIGTERM,
    "upload 2013-07 ...": signal.SIGINT,
    LAST: signal.SIGTERM,
}
OF_GOVERNANCE = {
    "slipway rollout plan ...": signal.SIGTERM,
}
LATER_OF_GOVERNANCE = {
    "cdk bootstrap management ...": signal.SIGINT,
    "cdk deploy slipway-rollout/* ...": signal.SIGINT,
    "account ml-late joins ...": signal.SIGTERM,
    "slipway rollout drift, the key opened by hand ...": signal.SIGINT,
    "people ...": signal.SIGTERM,
}
REHEARSE = [str(Path(sys.executable).parent / "slipway"), "rehearse", "--keep"]
REHEARSE_GOVERNANCE = [sys.executable, str(ROOT / "tests/governance/rehearse.py")]


def processes_with(word: str) -> list[str]:
    listed = subprocess.run(["ps", "-Ao", "command"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if word in line]


@pytest.mark.parametrize(
    ("phase", "ending"),
    [*PHASES.items(), *(pytest.param(*late, marks=pytest.mark.long) for late in LATER_PHASES.items())],
)
def test_an_interrupted_rehearsal_leaves_nothing(tmp_path: Path, phase: str, ending: signal.Signals) -> None:
    interrupt(REHEARSE, tmp_path, phase, ending)


@pytest.mark.parametrize(
    ("phase", "ending"),
    [*OF_GOVERNANCE.items(), *(pytest.param(*late, marks=pytest.mark.long) for late in LATER_OF_GOVERNANCE.items())],
)
def test_nor_does_one_of_governance(tmp_path: Path, phase: str, ending: signal.Signals) -> None:
    interrupt(REHEARSE_GOVERNANCE, tmp_path, phase, ending)


def interrupt(command: list[str], tmp_path: Path, phase: str, ending: signal.Signals) -> None:
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PYTHONUNBUFFERED": "1"}
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TMPDIR": str(tmp_path), **path}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as rehearsal:
        assert rehearsal.stdout
        assert rehearsal.stderr
        line = ""
        for line in rehearsal.stdout:
            if line.strip() in {phase, LAST}:
                rehearsal.send_signal(ending)
                break
        assert line.strip() == phase, f"the story was over before it came there: {rehearsal.stderr.read()}"
        rehearsal.stdout.read()
        said = rehearsal.stderr.read()

    assert rehearsal.returncode == 130
    assert said == "slipway: stopped\n"
    assert processes_with(str(tmp_path)) == []
    assert list(tmp_path.glob("slipway-rehearsal-*")) == []
