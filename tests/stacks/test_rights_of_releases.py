"""What those who release and those who start runs may do, by the policies that their rooms give them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from serving_modes import MODEL, environment, synthesize, use

from commands.releases import release_place
from stacks.boundary_documents import BOUNDED_ACTIONS
from stacks.config import load
from stacks.names import Names

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Assembly

NAMES = Names.of(load().platform, load().environment("dev"))
PARAMETERS = f"arn:aws:ssm:{NAMES.region}:{NAMES.account}:parameter"
IMAGE = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/ml/job:1.4.2"
SHADOW = f"{PARAMETERS}/slipway/dev/{MODEL}/shadow"


def statements(template: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """Of the policies of a role, by the beginning of its logical id."""
    found = [
        statement
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::IAM::Policy" and name.startswith(role)
        for statement in one["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert found
    return found


def allowed(template: dict[str, Any], role: str, resource: str) -> set[str]:
    """What the role may do with this very resource."""

    def listed(value: Any) -> list[Any]:
        return value if isinstance(value, list) else [value]

    return {
        action
        for statement in statements(template, role)
        if resource in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }


@pytest.mark.parametrize(
    ("kind", "may"), [("shadow", {"ssm:GetParameter", "ssm:GetParameters"}), ("realtime", set[str]())]
)
def test_a_releaser_reads_which_version_is_in_the_shadow_and_never_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, may: set[str]
) -> None:
    use(monkeypatch, kind)

    room = synthesize(tmp_path, environment(kind))["Releases"]

    assert allowed(room, "Releaser", SHADOW) == may
    assert "ssm:PutParameter" in allowed(room, "Releaser", f"{PARAMETERS}/slipway/dev/{MODEL}/version")


def test_a_releaser_may_find_what_nothing_serves_any_more_within_the_boundary(assembly: Assembly) -> None:
    (room,) = (template for name, template in assembly.templates.items() if name.startswith("slipwayprodReleases"))
    finds = {"sagemaker:ListModels", "sagemaker:ListEndpointConfigs", "tag:GetResources"}

    assert finds <= allowed(room, "Releaser", "*")
    assert {"sagemaker:*", "tag:GetResources"} <= set(BOUNDED_ACTIONS)


@pytest.mark.parametrize("logical", ["Model", "Config"])
def test_what_a_model_s_room_makes_carries_the_tags_by_which_it_is_found(assembly: Assembly, logical: str) -> None:
    (room,) = (template for name, template in assembly.templates.items() if name.startswith("slipwayprodServing"))

    tags = {tag["Key"]: tag["Value"] for tag in room["Resources"][logical]["Properties"]["Tags"]}

    place = release_place(load().environment("prod"), MODEL)
    assert place.tags.items() <= tags.items()
    assert place.tags == {"platform": "slipway", "environment": "prod", "model": MODEL}


def test_the_starter_looks_at_the_image_that_versions_are_served_by(
    assembly: Assembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "realtime")
    ready = environment("realtime")
    settings = ready.image.model_dump() if ready.image else {}
    changed = {**ready.model_dump(), "image": {**settings, "image_uri": IMAGE, "serve_image_uri": f"{IMAGE}-serve"}}
    ready = type(ready).model_validate(changed)

    (built,) = (template for name, template in assembly.templates.items() if name.startswith("slipwaydevTriggers"))
    taken = synthesize(tmp_path, ready)["Triggers"]

    repository = f"arn:aws:ecr:{NAMES.region}:{NAMES.account}:repository/{NAMES.repository}"
    assert allowed(built, "StarterRole", repository) == {"ecr:DescribeImages"}
    assert allowed(taken, "StarterRole", "arn:aws:ecr:eu-west-1:222222222222:repository/ml/job") == {
        "ecr:DescribeImages"
    }
    assert f'\\"serve_image\\":\\"{IMAGE}-serve\\"' in json.dumps(taken)
