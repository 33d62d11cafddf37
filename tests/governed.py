"""What governance tests ask: everything the app deploys, and a simulator of IAM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Assembly
from iam_deployed import Cloud
from iam_simulator import Simulator


@pytest.fixture(scope="session")
def cloud(assembly: Assembly) -> Cloud:
    return Cloud(assembly.folder)


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    started = Simulator()
    yield started
    started.end()
