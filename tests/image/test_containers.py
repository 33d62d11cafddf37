"""Which tool builds the images, and what is said where none can."""

from __future__ import annotations

from pathlib import Path

import pytest
from containers import TOOLS, ToolError, find_tool


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where nothing is installed but what a test puts here."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("IMAGE_TOOL", raising=False)
    return tmp_path


def put(folder: Path, tool: str, *, works: bool) -> None:
    script = "exit 0" if works else "echo 'no daemon' >&2; exit 1"
    (folder / tool).write_text(f"#!/bin/sh\n{script}\n")
    (folder / tool).chmod(0o755)


def test_without_a_tool_it_is_said_that_nothing_is_shown_and_how_to_get_one() -> None:
    with pytest.raises(ToolError) as told:
        find_tool()

    assert [f"{tool} is not installed" in str(told.value) for tool in TOOLS] == [True] * 3
    assert "nothing was built and nothing is shown. Install one of" in str(told.value)


def test_a_tool_that_cannot_run_is_told_and_the_next_one_is_taken(tools: Path) -> None:
    put(tools, "docker", works=False)

    with pytest.raises(ToolError, match=r"docker cannot run here \(no daemon\); podman is not installed"):
        find_tool()
    put(tools, "buildah", works=True)
    assert find_tool() == "buildah"


def test_a_person_may_choose(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tools, "docker", works=True)
    put(tools, "podman", works=True)
    monkeypatch.setenv("IMAGE_TOOL", "podman")

    assert find_tool() == "podman"
    monkeypatch.setenv("IMAGE_TOOL", "lxc")
    with pytest.raises(ToolError, match="IMAGE_TOOL=lxc is not known; tools are docker, podman, buildah"):
        find_tool()
