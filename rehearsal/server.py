"""The embedded AWS: moto's services in one process on loopback, ours where moto lacks or gets them wrong.

It tells its port on standard output as one JSON line, and ends, with every job it started, when its standard input
closes: so it cannot outlive whoever started it, however that one ended.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto import backends
from moto.core.responses import ActionResult, BaseResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import WSGIRequestHandler, make_server

from rehearsal import (
    accounts,
    buckets,
    builds,
    callers,
    capacity,
    codepipelines,
    components,
    costs,
    coverage,
    endpoints,
    events,
    guard,
    images_api,
    jobs,
    keys,
    metrics,
    organization_policies,
    parameter_events,
    pipelines,
    queue_alarms,
    registry,
    scaling_registry,
    studio_api,
    tagged,
    transforms,
)
from rehearsal.answers import as_event
from rehearsal.api import Caller, ServiceError
from rehearsal.auto_deployment import install_stack_sets
from rehearsal.build_machine import Machine
from rehearsal.callers import SERVICE_HEADER
from rehearsal.cloudformation import CloudFormation
from rehearsal.control import Control
from rehearsal.functions import Functions
from rehearsal.image import Images
from rehearsal.job_records import JobRecords
from rehearsal.resources import Place
from rehearsal.scaling import Scaling
from rehearsal.schedules import Schedules

if TYPE_CHECKING:
    from rehearsal.deployment import Stack

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """What the services of this process need of each other."""

    endpoint: str

    def place(self, caller: Caller) -> Place:
        return Place(
            caller.account,
            caller.region,
            lambda service: _client(service, caller, self.endpoint),
            lambda role: lambda service: self._client_of(role, service, caller.region),
        )

    def _client_of(self, role: str, service: str, region: str) -> Any:
        return _client_of(role, service, region, self)

    def keys(self, role: str, region: str) -> dict[str, str]:
        """The variables with which a role of an account talks to this server."""
        account = role.split(":")[4]
        taken = sts_backends[account]["aws"].assume_role(
            region_name=region,
            role_session_name="embedded",
            role_arn=role,
            policy="",
            duration=3600,
            external_id="",
        )
        return {
            "AWS_ACCESS_KEY_ID": taken.access_key_id,
            "AWS_SECRET_ACCESS_KEY": taken.secret_access_key,
            "AWS_SESSION_TOKEN": taken.session_token,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def announce(self, stack: Stack) -> None:
        kind = "CloudFormation Stack Status Change"
        events.send(stack.place, "aws.cloudformation", kind, as_event(stack), [stack.id])


@cache
def _client(service: str, caller: Caller, endpoint: str) -> Any:
    """A client of this very process, in the caller's account."""
    client = boto3.client(
        service,
        region_name=caller.region,
        endpoint_url=endpoint,
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",  # noqa: S106 nothing checks it
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )

    def name_account(params: dict[str, Any], **_: object) -> None:
        params["headers"][SERVICE_HEADER] = caller.account

    client.meta.events.register("before-call", name_account)
    return client


@cache
def _client_of(role: str, service: str, region: str, server: Server) -> Any:
    """A client of this very process, with the keys of a role."""
    key = server.keys(role, region)
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=key["AWS_ENDPOINT_URL"],
        aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=key["AWS_SESSION_TOKEN"],
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def list_services_once() -> None:
    """To find whom a request is for, moto lists its folder, a third of a request's work; a name is looked up only."""
    found = tuple(backends.list_of_moto_modules())
    setattr(backends, "list_of_moto_modules", lambda: found)  # noqa: B010 a mend of moto, not an oversight


def answer_every_failure() -> None:
    """An operation nobody carries out, or that breaks, is an error in the service's own form; moto would send HTML."""
    answer = BaseResponse.call_action

    def call_action(self: Any) -> Any:
        try:
            return answer(self)
        except NotImplementedError:
            message = f"the embedded AWS has no {self.service_name}:{self._get_action()}"
            return _failed(self, ServiceError("NotImplemented", message))
        except Exception as error:
            log.exception("%s:%s", self.service_name, self._get_action())
            return _failed(self, ServiceError("InternalFailure", f"{type(error).__name__}: {error}"))

    setattr(BaseResponse, "call_action", call_action)  # noqa: B010 a mend of moto, not an oversight


def _failed(response: Any, error: ServiceError) -> Any:
    return response.serialized(ActionResult(error))


class Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A line a request would be megabytes a run."""


def run(state: Path, job_python: Path, organization: str | None) -> None:
    callers.organization.id = organization
    state.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=state / "server.log", level=logging.WARNING)
    guard.stay_on_loopback()
    recorder = coverage.Recorder(DomainDispatcherApplication(create_backend_app), state / "calls.json")
    web = make_server("127.0.0.1", 0, Control(recorder), threaded=True, request_handler=Quiet)
    os.environ["MOTO_PORT"] = str(web.server_port)
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    server = Server(f"http://localhost:{web.server_port}")
    list_services_once()
    answer_every_failure()
    accounts.install_accounts()
    buckets.install_buckets()
    keys.install_keys()
    images_api.ImagesApi(server.endpoint).install()
    events.install_events(server.place)
    parameter_events.install(server.place)
    functions = Functions(state, server.keys)
    functions.install()
    Schedules(server.place).start()
    cloudformation = CloudFormation(server.place, server.announce)
    cloudformation.install()
    install_stack_sets(cloudformation)
    registry.Registry(server.place).install()
    records = JobRecords()
    records.install()
    images = Images(state / "images", job_python)
    pipelines.Pipelines(server.place, state, images, records).install()
    machine = Machine(job_python.parent.parent.parent)
    builds.Builds(server.place, server.keys, state / "builds", machine).install()
    codepipelines.CodePipelines(server.place).install()
    costs.Costs().install()
    organization_policies.install_policies()
    scaling_registry.install()
    studio_api.Studio().install()
    metrics.install()
    queue_alarms.install()
    hosting = host(server, state, images)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"port": web.server_port}) + "\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: sys.stdin.close())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us; then our standard input closes
    wait_for_the_end()
    hosting.end_all()
    jobs.processes.terminate_all()
    functions.end_all()
    recorder.write()
    os._exit(0)  # request threads may still wait for jobs that are no more


def host(server: Server, state: Path, images: Images) -> endpoints.Endpoints:
    """Models and configurations, endpoints, and what is beside them."""
    hosting = endpoints.Endpoints(server.place, server.keys, state, images)
    hosting.install()
    tagged.Tagged(hosting.regions).install()
    components.Components(hosting).install()
    capacity.Capacities(hosting).install()
    scaling = Scaling(hosting.regions)
    scaling.install()
    scaling.start()
    transforms.Transforms(hosting).install()
    return hosting


def wait_for_the_end() -> None:
    try:
        while os.read(0, 1024):
            pass
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--job-python", type=Path, required=True)
    parser.add_argument("--organization", help="the organization that all accounts are members of")
    given = parser.parse_args()
    run(given.state, given.job_python, given.organization)
