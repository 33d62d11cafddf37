"""Where each environment trains for itself: what was registered and approved there is released and leads there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from promotion_world import MODEL, TRAINING, Promoted, promoted
from real_jobs import Real

from operations.journal import SUCCEEDED


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Promoted]:
    folder, platform = tmp_path_factory.mktemp("code"), {"promote": "code", "registry": None}
    with promoted(folder, platform, {"staging": TRAINING}) as made:
        yield made


def test_a_version_of_the_own_registry_is_released_by_its_approval_and_is_the_own_champion(
    staging: Promoted, real: Real
) -> None:
    version = staging.register("staging", real.package / "model.tar.gz")

    staging.approve("staging", version, "Staging")

    entry = staging.released("staging", 1)
    assert (entry.version, entry.outcome, entry.cause) == (version, SUCCEEDED, "event"), entry.because
    assert staging.champion("staging")["version"] == version
    told = staging.slipway("staging", "status", "staging", MODEL).stdout
    assert f"desired  {version}\nlive     {version}" in told


def test_a_version_that_was_not_approved_there_is_not_released_there(staging: Promoted, real: Real) -> None:
    staging.register("staging", real.package / "model.tar.gz")

    told = staging.slipway("staging", "release", "staging", MODEL, "2")

    assert told.returncode
    assert "is Development/Passed, PendingManualApproval; this environment takes versions from Staging" in told.stderr
