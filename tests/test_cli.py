"""The command as a person meets it: messages that say the fix, no tracebacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands.choice import UsageError
from commands.platform import refuse_violations
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

    for verb in ("check", "synth", "doctor", "rehearse", "data", "train"):
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


def test_synth_writes_the_templates_and_validates_when_asked(tmp_path: Path) -> None:
    done = slipway("synth", "--env", "staging", "--validate", HOME=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "8 stacks in cdk.out/\n"


def test_broken_rules_are_named_with_their_place(tmp_path: Path) -> None:
    construct = {"constructPath": "slipway-dev/Data/Runs"}
    violation = {"ruleName": "NoPublicBucket", "violatingConstructs": [construct]}
    report = {"pluginReports": [{"violations": [violation]}, {"violations": []}]}
    (tmp_path / "validation-report.json").write_text(json.dumps(report))

    with pytest.raises(UsageError, match=r"1 rules are broken.*\n  NoPublicBucket: slipway-dev/Data/Runs"):
        refuse_violations(tmp_path)
