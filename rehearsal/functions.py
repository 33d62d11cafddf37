"""Lambda functions really run: each in a process of its own that stays warm, with its code, its settings, its role.

A function may import what Lambda's Python runtime brings (the standard library and boto3) and its own code, no more.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import LambdaBackend, LambdaFunction

from rehearsal import queue_alarms
from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

WORKER = Path(__file__).with_name("function_worker.py")
ASYNCHRONOUS_RETRIES = (60, 120)
"""Seconds before Lambda tries an event again: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html"""


class Worker:
    """A warm process of one function; it takes one event at a time."""

    def __init__(self, function: LambdaFunction, folder: Path, environment: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(WORKER), str(folder), str(function.handler)],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, event: Json) -> Json:
        """{"result"} or {"error"}, and {"log"}."""
        assert self._process.stdin  # noqa: S101 they are pipes
        assert self._process.stdout  # noqa: S101
        line = ""
        with self._lock, suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(event) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            return {"error": {"errorType": "Runtime.ExitError", "errorMessage": "the process ended"}, "log": []}
        answer: Json = json.loads(line)
        return answer

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> None:
        self._process.kill()


class Functions:
    """All functions of this server; `keys` gives the variables with which a role talks to it."""

    def __init__(self, state: Path, keys: Callable[[str, str], dict[str, str]]) -> None:
        self._folder, self._keys = state / "functions", keys
        self.dead_letters: dict[str, str | None] = {}
        self._workers: dict[str, Worker] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        functions = self

        def invoke(self: Any, body: Any, request_headers: Any, response_headers: Any) -> bytes:
            return functions.invoke(self, body, request_headers, response_headers)

        create = LambdaBackend.create_function

        def create_function(self: Any, spec: Json) -> LambdaFunction:
            made = create(self, spec)
            functions.dead_letters[made.function_arn] = spec.get("DeadLetterConfig", {}).get("TargetArn")
            return made

        setattr(LambdaFunction, "invoke", invoke)  # noqa: B010 moto would start Docker
        setattr(LambdaBackend, "create_function", create_function)  # noqa: B010 moto forgets the dead letter topic

    def invoke(self, function: LambdaFunction, body: Any, asked: Any, answered: Any) -> bytes:
        event = json.loads(body) if body else {}
        if asked.get("x-amz-invocation-type", "RequestResponse") == "Event":
            threading.Thread(target=self._until_done, args=(function, event), daemon=True).start()
            return b""
        answer = self._run(function, event)
        log = "\n".join(answer["log"])
        answered["x-amz-log-result"] = base64.b64encode(log[-4096:].encode()).decode()
        if "error" in answer:
            answered["x-amz-function-error"] = "Unhandled"
            return json.dumps(answer["error"]).encode()
        return json.dumps(answer["result"]).encode()

    def _until_done(self, function: LambdaFunction, event: Json) -> None:
        """An event nobody waits for: tried three times, then given to the dead letter queue or topic."""
        answer = self._run(function, event)
        for seconds in ASYNCHRONOUS_RETRIES:
            if "error" not in answer:
                return
            clock.skip(seconds, f"function {function.function_name} is tried again")
            answer = self._run(function, event)
        target = self.dead_letters.get(function.function_arn)
        if "error" in answer and target:
            self._keep_dead_letter(function, target, event, answer["error"])

    @staticmethod
    def _keep_dead_letter(function: LambdaFunction, target: str, event: Json, error: Json) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
        from moto.sns.models import sns_backends
        from moto.sqs.models import sqs_backends

        kind, body = target.split(":")[2], json.dumps(event)
        told = {"data_type": "String", "string_value": str(error.get("errorMessage"))}
        if kind == "sqs":
            queues = sqs_backends[function.account_id][function.region]
            queues.send_message(target.split(":")[5], body, message_attributes={"ErrorMessage": told})
            queue_alarms.decide(function.account_id, function.region)
        else:
            topics = sns_backends[function.account_id][function.region]
            attributes = {"ErrorMessage": {"Type": told["data_type"], "Value": told["string_value"]}}
            topics.publish(message=body, arn=target, message_attributes=attributes)

    def _run(self, function: LambdaFunction, event: Json) -> Json:
        answer = self._worker(function).run(event)
        messages = answer["log"] or ["(no output)"]
        at = int(time.time() * 1000)
        function.logs_backend.ensure_log_group(function.logs_group_name)
        stream = f"{clock.now():%Y/%m/%d}/[$LATEST]{function.code_sha_256[:8]}"
        group = function.logs_backend.groups[function.logs_group_name]
        if stream not in group.streams:
            function.logs_backend.create_log_stream(function.logs_group_name, stream)
        lines = [{"timestamp": at, "message": message} for message in messages]
        function.logs_backend.put_log_events(function.logs_group_name, stream, lines)
        return answer

    def _worker(self, function: LambdaFunction) -> Worker:
        """The warm process; a function whose code or settings changed gets another."""
        settings = json.dumps([function.function_arn, function.handler, function.environment_vars], sort_keys=True)
        key = hashlib.sha256(settings.encode() + function.code_bytes).hexdigest()
        with self._lock:
            if key not in self._workers or self._workers[key].ended:
                folder = self._unpacked(function)
                self._workers[key] = Worker(function, folder, self._environment(function))
            return self._workers[key]

    def _unpacked(self, function: LambdaFunction) -> Path:
        folder = self._folder / hashlib.sha256(function.code_bytes).hexdigest()[:16]
        if not folder.is_dir():
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
                archive.extractall(folder)
        return folder

    def _environment(self, function: LambdaFunction) -> dict[str, str]:
        """What Lambda sets, the function's own settings, and keys of its role."""
        return {
            **self._keys(function.role, function.region),
            "PATH": "/usr/bin:/bin",
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            **{name: str(value) for name, value in function.environment_vars.items()},
        }

    def end_all(self) -> None:
        with self._lock:
            for worker in self._workers.values():
                worker.end()
