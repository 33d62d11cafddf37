"""An embedded AWS for tests: one server a session; each test takes an account of its own."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.embedded import EmbeddedAws
from stacks.config import ROOT

REGION = "eu-west-1"
ACCOUNTS = itertools.count(200000000000)

Client = Callable[[str], Any]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    with EmbeddedAws(tmp_path_factory.mktemp("aws"), ROOT / ".venv-job/bin/python") as running:
        yield running


@pytest.fixture
def account() -> str:
    return str(next(ACCOUNTS))


@pytest.fixture
def client(aws: EmbeddedAws, account: str) -> Client:
    """Clients in the test's own account."""
    return lambda service: aws.client(service, account, REGION)


@pytest.fixture
def state(aws: EmbeddedAws) -> Path:
    return aws.state
