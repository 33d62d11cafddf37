"""What `slipway doctor` examines, by the settings: each environment and the delivery's account in plain values."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.releases import release_place
from stacks.baseline_names import BaselineNames
from stacks.config import ROOT, models
from stacks.content import image_uris
from stacks.names import Names, champion_prefix, provenance_prefix, runs_prefix
from stacks.needs import needs_of
from stacks.released_to import ReleasedTo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.findings import Bootstrap, Grant, Quota, Target, Wanted
    from operations.tool_checks import Here, Node
    from stacks.config import Config
    from stacks.settings import Environment

Opened = tuple[Any, str, str, str, list[str]]
"""What kind of resource is opened, its name, for which action on what, and to whom."""

DELIVERY = "delivery"
"""How the delivery's account is called among the environments."""

BOOTSTRAP = ROOT / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
LIBRARY = "aws-cdk-lib"
SEVEREST_FIRST = ("none", "CRITICAL", "HIGH")
"""Of `forbidden_findings`, from what forbids least on."""


def here() -> Here:
    """This checkout, and what runs in it."""
    from operations.tool_checks import Here

    found = importlib.metadata.distributions()
    installed = {re.sub(r"[-_.]+", "-", str(each.metadata["Name"])).lower(): each.version for each in found}
    return Here(ROOT, sys.version_info[:2], _node(), installed)


def _node() -> Node:
    """The Node of the wheel, asked itself; jsii's runtime says what it has against it before it does anything else."""
    from operations.tool_checks import Node
    from rehearsal.cdk import CdkError, node

    try:
        version = _said(str(node()), "--version").stdout.strip()
    except (CdkError, OSError):
        return Node("")
    jsii = importlib.util.find_spec("jsii")
    if jsii is None or jsii.origin is None:
        return Node(version, "jsii is not installed")
    runtime = Path(jsii.origin).parent / "_embedded/jsii/bin__jsii-runtime.js"
    told = [line.strip("! ") for line in _said(str(node()), str(runtime)).stderr.splitlines() if line.startswith("!!")]
    return Node(version, next((line for line in told if line), ""))


def _said(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def environment_target(config: Config, environment: Environment, delivery: str) -> Target:
    """An environment; what only one that trains has, only that one is asked for."""
    from operations.findings import Target

    names = Names.of(config.platform, environment)
    return Target(
        name=environment.name,
        account=environment.account,
        region=environment.region,
        bootstrap=_bootstrap(config, environment),
        trusts=delivery,
        stacks=f"{names.prefix}-",
        deploy=f'npx cdk deploy "{names.prefix}/*"',
        forbidden=_forbidden(config, environment),
        quotas=tuple(_quotas(config, environment)),
        images=tuple(_images(names, environment)),
        grants=tuple(_grants(config, environment)),
        places=tuple(release_place(environment, model) for model in models()),
    )


def delivery_target(account: str, region: str, connection: str) -> Target:
    """The account that deliveries come from."""
    from operations.bootstrap_checks import newest_version
    from operations.findings import Bootstrap, Target

    told = Bootstrap(newest_version(BOOTSTRAP), to_know=f"npx cdk bootstrap aws://{account}/{region} makes the newest")
    return Target(DELIVERY, account, region, told, connection=connection)


def _bootstrap(config: Config, environment: Environment) -> Bootstrap:
    from operations.bootstrap_checks import newest_version, required_version
    from operations.findings import Bootstrap

    platform, governance = config.platform, environment.governance
    rolled_out = bool(platform.rollout and platform.rollout.bootstrap)
    rolled_out = rolled_out and governance.owner == "baseline" and not governance.key_arn
    output = ROOT / json.loads((ROOT / "cdk.json").read_text())["output"]
    stage = Names.of(platform, environment).prefix
    return Bootstrap(
        newest=newest_version(BOOTSTRAP),
        required=required_version(output, stage, importlib.metadata.version(LIBRARY)),
        to_know=f"slipway synth --env {environment.name}, then look again",
        boundary=BaselineNames(platform.name).deployments if rolled_out else "",
        rolled_out=rolled_out,
    )


def _forbidden(config: Config, environment: Environment) -> str:
    """What the strictest environment forbids of those that release what is trained here."""
    asked = [each.serving.forbidden_findings for each in config.released_from(environment)]
    return max(asked, key=SEVEREST_FIRST.index, default="none")


def _quotas(config: Config, environment: Environment) -> Iterator[Quota]:
    from operations.findings import Quota

    for need in needs_of(config, environment):
        yield Quota(need.quota, need.number, need.setting)


def _images(names: Names, environment: Environment) -> Iterator[Wanted]:
    from operations.findings import Wanted

    if environment.image is None:
        return
    file, ready = f"environments/{environment.name}.toml", environment.image.image_uri is not None
    keys = ("image_uri", "serve_image_uri") if ready else ("base_image", "base_image")
    for key, uri in zip(keys, image_uris(environment.image, names), strict=True):
        built = {} if ready else {"build": names.image_build, "stack": f"{names.prefix}/Image"}
        yield Wanted(uri, f"{key} of [image] in {file}", **built)


def _grants(config: Config, environment: Environment) -> Iterator[Grant]:
    """What an environment that trains lets the others do; stacks/key.py, data.py and image.py write the statements."""
    from operations.findings import Grant

    others = ReleasedTo.of(config, environment)
    if environment.training is None or not others.environments:
        return
    for kind, name, action, resource, roles in _opened(config, environment, others):
        made = 'npx cdk deploy "*-rollout/*"' if kind == "key" and environment.governance.owner == "baseline" else ""
        fix = made or f'npx cdk deploy "{config.platform.name}-{environment.name}/*"'
        if roles:
            yield Grant(kind, name, action, resource, tuple(roles), fix)


def _opened(
    config: Config, environment: Environment, others: ReleasedTo
) -> Iterator[tuple[Any, str, str, str, list[str]]]:
    names = Names.of(config.platform, environment)
    key, who = environment.governance.key_arn or names.key_alias, [*others.checkers, *others.endpoints()]
    yield "key", key, "kms:Decrypt", "*", who
    yield "key", key, "kms:GenerateDataKey", "*", others.crowners
    for model in others.models:
        objects = f"arn:aws:s3:::{names.runs_bucket}"
        packaged = f"{objects}/{runs_prefix(model)}/execution/package/model.tar.gz"
        yield "bucket", names.runs_bucket, "s3:GetObject", packaged, who
        champion = f"{objects}/{champion_prefix(model)}/champion.json"
        yield "bucket", names.runs_bucket, "s3:PutObject", champion, others.crowners
        record = f"arn:aws:s3:::{names.provenance_bucket}/{provenance_prefix(model)}/execution/provenance.json"
        yield "bucket", names.provenance_bucket, "s3:GetObject", record, others.checkers
    if environment.image and not environment.image.image_uri:
        yield "repository", names.repository, "ecr:BatchGetImage", "*", others.pullers
        yield "repository", names.repository, "ecr:DescribeImageScanFindings", "*", others.releasers
