"""The real images, built and run as SageMaker runs them; `make image-test` needs docker, podman or buildah."""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import Images, Mount, Server, ToolError, find_tool
from real_jobs import PERIOD, Real, make_job, stage_step

from pipeline_code.contract import JobEnvironment

pytestmark = pytest.mark.image

CANNOT = 3
"""Exit code of pytest where nothing could be tried."""

SECONDS_TO_SERVE = 60
SECONDS_TO_END = 45
ANYBODY = "10001"


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """Both images; without a tool the whole run ends here, with its own exit code."""
    try:
        made = Images(find_tool(), tmp_path_factory.mktemp("images"))
        for target in ("serve", "job"):
            made.build(target)
        made.try_it()
    except ToolError as error:
        pytest.exit(f"image-test: {error}", returncode=CANNOT)
    yield made
    made.close()


def run_job(images: Images, step: str, root: Path, user: str = "0", **changed: str) -> subprocess.CompletedProcess[str]:
    """A step in its container; inputs may be read only, as far as one can tell."""
    job = make_job(step, root)
    values = {"model": "flight_delay", "period": PERIOD, "image_uri": "job:1", "serve_image_uri": "serve:1"}
    variables = {**JobEnvironment.render(job.step, {**values, **dict.fromkeys(job.step.told, "x")}), **changed}
    for path in [root, *root.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)  # SageMaker's own folders are root's, and so is the process
    mounts = [Mount(root, "/opt/ml"), Mount(root / "config", "/opt/ml/config", read_only=True)]
    if (root / "input").is_dir():
        mounts.append(Mount(root / "input", "/opt/ml/input", read_only=True))
    ran: subprocess.CompletedProcess[str] = images.run("job", [step], mounts, variables, user)
    return ran


@pytest.mark.parametrize("user", ["0", ANYBODY])
def test_a_training_job_makes_the_very_model_of_this_machine(
    images: Images, real: Real, tmp_path: Path, user: str
) -> None:
    stage_step("train", tmp_path / "ml", {"dataset": real.dataset})

    ran = run_job(images, "train", tmp_path / "ml", user)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    made, expected = tmp_path / "ml/model", real.model
    assert sorted(file.name for file in made.iterdir()) == sorted(file.name for file in expected.iterdir())
    booster = next(file.name for file in expected.iterdir() if file.suffix == ".ubj")
    assert (made / booster).read_bytes() == (expected / booster).read_bytes()
    assert (made / booster).stat().st_uid == (int(user) if os.getuid() == 0 else os.getuid())


def test_a_processing_job_tries_the_version_in_the_server_that_the_job_image_holds(
    images: Images, real: Real, tmp_path: Path
) -> None:
    stage_step("package", tmp_path / "ml", {"dataset": real.dataset, "model": real.archive.parent})

    ran = run_job(images, "package", tmp_path / "ml")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    packaged = tmp_path / "ml/processing/output/package"
    assert json.loads((packaged / "package.json").read_text())["difference"] <= 1e-6


def test_a_job_that_fails_says_so_where_sagemaker_looks(images: Images, tmp_path: Path) -> None:
    (tmp_path / "ml").mkdir()

    ran = run_job(images, "train", tmp_path / "ml")

    assert ran.returncode == 1
    assert "hyperparameters.json" in (tmp_path / "ml/output/failure").read_text()


def test_a_job_that_is_not_told_what_it_needs_refuses(images: Images, tmp_path: Path) -> None:
    (tmp_path / "ml").mkdir()

    ran = run_job(images, "train", tmp_path / "ml", SLIPWAY_MODEL="")

    assert ran.returncode == 1
    assert "job environment: SLIPWAY_MODEL not set; the pipeline definition sets them" in ran.stderr


@pytest.fixture
def server(images: Images, real: Real, tmp_path: Path) -> Iterator[Server]:
    """The server of a packaged version, which it may only read."""
    with tarfile.open(real.package / "model.tar.gz") as packed:
        packed.extractall(tmp_path / "model", filter="data")
    started = images.serve([Mount(tmp_path / "model", "/opt/ml/model", read_only=True)])
    yield started
    started.end()


def ask(server: Server, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "text/csv", "Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_until_healthy(server: Server) -> None:
    end = time.monotonic() + SECONDS_TO_SERVE
    while time.monotonic() < end and server.process.poll() is None:
        try:
            if ask(server, "GET", "/ping")[0] == http.client.OK:
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the container was not healthy within {SECONDS_TO_SERVE} s:\n{server.log.read_text()}")


def test_the_server_answers_as_the_trainer_and_ends_when_it_is_told(server: Server, real: Real) -> None:
    test = json.loads(member(real.package / "model.tar.gz", "serving.json"))["test"]

    wait_until_healthy(server)
    status, body = ask(server, "POST", "/invocations", "\n".join(test["rows"]))
    refused, _ = ask(server, "POST", "/invocations", "not,a,row")
    server.terminate()
    code = server.process.wait(SECONDS_TO_END)

    found = [one["probability"] for one in json.loads(body)["predictions"]]
    assert (status, refused) == (200, 400)
    assert found == pytest.approx(test["probabilities"], abs=1e-6)
    assert code == 0, server.log.read_text()


def member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as packed:
        content = packed.extractfile(name)
        assert isinstance(content, io.BufferedReader)
        return content.read()
