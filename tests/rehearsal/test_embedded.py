"""The embedded AWS comes, serves, and leaves nothing behind, however whoever started it ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from embedded import REGION

from rehearsal import guard
from rehearsal.embedded import EmbeddedAws, EmbeddedAwsError
from stacks.config import ROOT

JOB_PYTHON = ROOT / ".venv-job/bin/python"
PATIENCE_SECONDS = 20

STARTER = """
import sys, time
from pathlib import Path
from rehearsal.embedded import EmbeddedAws
with EmbeddedAws(Path(sys.argv[1]), Path(sys.argv[2])) as aws:
    print(aws.endpoint.rsplit(":", 1)[1], aws._process.pid, flush=True)
    time.sleep(60)
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").exists() else True


def eventually(happened: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if happened():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_nothing_is_left_when_the_starter_ends(tmp_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path), str(JOB_PYTHON)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as starter:
        assert starter.stdout
        port, pid = (int(word) for word in starter.stdout.readline().split())
        assert listens(port)

        starter.send_signal(ending)

    assert eventually(lambda: not listens(port) and not alive(pid))


def test_two_at_once_know_nothing_of_each_other(tmp_path: Path) -> None:
    with EmbeddedAws(tmp_path / "a", JOB_PYTHON) as one, EmbeddedAws(tmp_path / "b", JOB_PYTHON) as two:
        one.client("s3", "200000000001", "us-east-1").create_bucket(Bucket="mine")

        assert two.client("s3", "200000000001", "us-east-1").list_buckets()["Buckets"] == []
        assert one.endpoint != two.endpoint


def test_accounts_are_apart(aws: EmbeddedAws) -> None:
    aws.client("ssm", "200000000002", REGION).put_parameter(Name="p", Value="x", Type="String")

    with pytest.raises(ClientError, match="ParameterNotFound"):
        aws.client("ssm", "200000000003", REGION).get_parameter(Name="p")


def test_a_role_is_assumed_only_if_it_exists_and_trusts_the_caller(aws: EmbeddedAws) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::200000000005:root"}}
        ],
    }
    iam = aws.client("iam", "200000000004", REGION)
    iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=json.dumps(trust))

    def assume(account: str, role: str) -> str:
        answer = aws.client("sts", account, REGION).assume_role(
            RoleArn=f"arn:aws:iam::200000000004:role/{role}", RoleSessionName="session"
        )
        return str(answer["AssumedRoleUser"]["Arn"])

    assert "trusting" in assume("200000000005", "trusting")
    for account, role in (("200000000006", "trusting"), ("200000000005", "absent")):
        with pytest.raises(ClientError, match="AccessDenied"):
            assume(account, role)


def test_a_server_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(JOB_PYTHON))  # it has no moto

    with pytest.raises(EmbeddedAwsError, match="No module named"), EmbeddedAws(tmp_path, JOB_PYTHON):
        pass


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "looks like a real key; unset it"),
        ({"AWS_PROFILE": "production"}, "AWS_PROFILE=production names a profile; unset it"),
        ({"AWS_ENDPOINT_URL": "https://sts.amazonaws.com"}, "is not on this machine; unset it"),
    ],
)
def test_whatever_could_reach_a_real_account_is_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(guard.GuardError, match=message):
        guard.check(environment)


def test_the_keys_of_another_rehearsal_are_no_danger() -> None:
    guard.check({"AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE", "AWS_ENDPOINT_URL": "http://localhost:4566"})


def test_the_users_aws_settings_and_proxies_do_not_get_in() -> None:
    given = {"HOME": "/home/me", "AWS_SESSION_TOKEN": "x", "HTTPS_PROXY": "http://proxy", "CDK_DEFAULT_ACCOUNT": "1"}

    assert guard.clean(given) == {"HOME": "/home/me", "NO_PROXY": "localhost,127.0.0.1"}


def test_the_server_connects_to_this_machine_only() -> None:
    code = (
        "import socket; from rehearsal import guard; guard.stay_on_loopback()\n"
        "socket.create_connection(('192.0.2.1', 80), timeout=1)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "wanted to connect to 192.0.2.1; it may reach this machine only" in done.stderr
