"""Ctrl-C and SIGTERM in the middle of a rehearsal: a word, no traceback, no process and no folder left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.config import ROOT

PHASES = {
    "cdk bootstrap ...": signal.SIGINT,
    "cdk deploy ...": signal.SIGTERM,
    "train 2013-04, arrival ...": signal.SIGINT,
}


def processes_with(word: str) -> list[str]:
    listed = subprocess.run(["ps", "-Ao", "command"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if word in line]


@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupted_rehearsal_leaves_nothing(tmp_path: Path, phase: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TMPDIR": str(tmp_path)}
    command = [str(Path(sys.executable).parent / "slipway"), "rehearse"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env={**environment, "PYTHONUNBUFFERED": "1"}, stdout=pipe, stderr=pipe, text=True
    ) as rehearsal:
        assert rehearsal.stdout
        assert rehearsal.stderr
        for line in rehearsal.stdout:
            if line.strip() == phase:
                rehearsal.send_signal(PHASES[phase])
                break
        rehearsal.stdout.read()
        said = rehearsal.stderr.read()

    assert rehearsal.returncode == 130
    assert said == "slipway: stopped\n"
    assert processes_with(str(tmp_path)) == []
    assert list(tmp_path.glob("slipway-rehearsal-*")) == []
