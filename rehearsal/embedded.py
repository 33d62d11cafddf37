"""Starts the embedded AWS as a process of its own and hands out what others need to talk to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import boto3
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from rehearsal import guard
from rehearsal.accounts import ENTRY_ROLE
from rehearsal.control import PATH

if TYPE_CHECKING:
    from types import TracebackType

    from rehearsal.person import Person

SECONDS_TO_END = 5
SECONDS_TO_NOTICE = 0.5
DIRECT = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={})
"""To this machine, whatever proxies the user's environment names."""


NOBODY = ReadOnlyCredentials("rehearsal", "rehearsal", None)
"""Keys that nothing checks."""


KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class EmbeddedAwsError(Exception):
    """The embedded AWS did not start; holds the end of its log."""


class EmbeddedAws:
    """A context manager: inside it the embedded AWS is up, after it nothing of it is left but its state folder.

    All its accounts are members of `organization`, or of none.
    """

    def __init__(self, state: Path, job_python: Path, organization: str | None = None) -> None:
        self.state, self.job_python, self.organization = state, job_python, organization
        self._keys: dict[str, dict[str, str]] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}

    def __enter__(self) -> Self:
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "server.err").open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "rehearsal.server",
                    *("--state", self.state, "--job-python", self.job_python),
                    *(["--organization", self.organization] if self.organization else []),
                ],
                cwd=Path(__file__).resolve().parent.parent,
                env=guard.clean(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        try:
            self.endpoint = f"http://localhost:{self._port()}"
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        assert self._process.stdin  # noqa: S101 it is a pipe
        self._process.stdin.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    @property
    def ended(self) -> str | None:
        """How its process ended, if it did; what it stands for is then gone, too. A moment is given to find out."""
        try:
            code = self._process.wait(SECONDS_TO_NOTICE)
        except subprocess.TimeoutExpired:
            return None
        tail = (self.state / "server.err").read_text(errors="replace")[-2000:]
        return (
            f"the embedded AWS ended ({f'signal {-code}' if code < 0 else f'exit code {code}'}); run it again\n{tail}"
        )

    def environment(self, account: str, region: str) -> dict[str, str]:
        """The variables with which `aws`, boto3 and `cdk` talk to it, in that account; nothing else of AWS in reach."""
        return {
            **guard.clean(os.environ),
            **self._key(account),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "1",
        }

    def client(self, service: str, account: str, region: str) -> Any:
        """A boto3 client in that account."""
        wanted = (service, account, region)
        if wanted not in self._clients:
            key = self._key(account)
            keys = ReadOnlyCredentials(*(key[name] for name in KEYS))
            self._clients[wanted] = self.client_with(keys, service, region)
        return self._clients[wanted]

    def take_on(self, person: Person) -> ReadOnlyCredentials:
        """Keys of a person in a role of people: let in and tagged first, then as the role's trust has it."""
        named = {"RoleSessionName": person.user, "Tags": [{"Key": "user", "Value": person.user}]}
        keys = NOBODY
        for role in (person.entry, person.role):
            given = self.client_with(keys, "sts", "us-east-1").assume_role(RoleArn=role, **named)["Credentials"]
            keys = ReadOnlyCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return keys

    def variables_of(self, person: Person) -> dict[str, str]:
        """The variables with which `aws`, boto3 and `slipway` are that person."""
        return dict(zip(KEYS, self.take_on(person)[:3], strict=True))

    def client_with(self, keys: ReadOnlyCredentials, service: str, region: str) -> Any:
        """A boto3 client of whoever has these keys."""
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=DIRECT,
        )

    def skip(self, seconds: float, why: str) -> None:
        """Let the embedded AWS's time pass at once: schedules that fall due in between are carried out."""
        self._order("clock", {"skip": seconds, "why": why})

    def clock(self) -> dict[str, Any]:
        """Its time, every wait that was skipped and what they add up to: now, waits, simulated_seconds."""
        return self._order("clock", {})

    def order_fault(self, step: str, kind: str, times: int = 1) -> None:
        """Let something befall the next attempts of a pipeline step; the kinds stand in faults.py."""
        self._order("fault", {"step": step, "kind": kind, "times": times})

    def order_load(self, endpoint: str, requests: int) -> None:
        """Let each request of an endpoint be told to CloudWatch as so many."""
        self._order("load", {"endpoint": endpoint, "requests": requests})

    def _order(self, order: str, given: dict[str, Any]) -> dict[str, Any]:
        request = Request(f"{self.endpoint}{PATH}{order}", json.dumps(given).encode())  # noqa: S310 loopback
        try:
            with build_opener(ProxyHandler({})).open(request) as answer:
                found: dict[str, Any] = json.load(answer)
        except HTTPError as error:
            raise EmbeddedAwsError(json.load(error)["error"]) from None
        return found

    @cached_property
    def _session(self) -> Any:
        return boto3.Session()

    def _key(self, account: str) -> dict[str, str]:
        """Keys of that account, as the organization's entry role gives them."""
        if account not in self._keys:
            sts = self.client_with(NOBODY, "sts", "us-east-1")
            role = f"arn:aws:iam::{account}:role/{ENTRY_ROLE}"
            key = sts.assume_role(RoleArn=role, RoleSessionName="rehearsal")["Credentials"]
            self._keys[account] = {
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
                "AWS_SESSION_TOKEN": key["SessionToken"],
            }
        return self._keys[account]

    def _port(self) -> int:
        assert self._process.stdout  # noqa: S101 it is a pipe
        line = self._process.stdout.readline()
        if not line:
            tail = (self.state / "server.err").read_text(errors="replace")[-2000:]
            raise EmbeddedAwsError(f"the embedded AWS did not start:\n{tail}")
        return int(json.loads(line)["port"])
