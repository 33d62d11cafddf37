"""The command as a person meets it: messages that say the fix, no tracebacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.config import ROOT


def slipway(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "slipway"), *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], **environment}
    )


def test_check_names_environments_and_models() -> None:
    done = slipway("check")

    assert done.returncode == 0
    assert done.stdout == "3 environments (dev, prod, staging), 1 models (flight_delay): ok\n"


def test_help_lists_every_verb() -> None:
    done = slipway("--help")

    for verb in ("check", "synth", "rehearse", "data", "train"):
        assert f" {verb} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synth", "--env", "live"], "slipway: no environment 'live'; environments are dev, prod, staging"),
        (["train", "2013-04", "--model", "churn"], "slipway: no model 'churn'; models are flight_delay"),
        (["data", "upload", "2013-04", "nowhere", "--env", "live"], "slipway: no environment 'live'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(arguments: list[str], message: str) -> None:
    done = slipway(*arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr


def test_without_credentials_the_message_says_so() -> None:
    done = slipway("train", "2013-04", AWS_EC2_METADATA_DISABLED="true", HOME="/nonexistent")

    assert done.returncode == 1
    assert "credentials" in done.stderr
    assert "Traceback" not in done.stderr
