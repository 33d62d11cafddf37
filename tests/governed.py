"""What governance tests ask: everything the app deploys, and a simulator of IAM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Assembly
from iam_deployed import Cloud
from iam_simulator import Simulator
from studio_world import with_studio


@pytest.fixture(scope="session")
def cloud(assembly: Assembly) -> Cloud:
    return Cloud(assembly.folder)


@pytest.fixture(scope="session")
def studio_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The same with Studio where models are trained."""
    return with_studio(tmp_path_factory.mktemp("studio") / "cdk.out")


@pytest.fixture(scope="session")
def studio_cloud(studio_assembly: Assembly) -> Cloud:
    return Cloud(studio_assembly.folder)


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    started = Simulator()
    yield started
    started.end()
