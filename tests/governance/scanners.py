"""Our Guard rules and cdk-nag, on templates that lie there already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import cloudformation_include as include

from stacks import rules
from stacks.config import load

Json = dict[str, Any]
Found = set[tuple[str, str, str]]
"""Scanner, rule, logical id."""

PACKS = {"AwsSolutions": "cdk-nag", "NIST.800.53.R5": "cdk-nag"}


def scanned(templates: Mapping[str, Json], folder: Path) -> dict[str, Found]:
    """What the scanners say of each, acknowledged or not: acknowledgments stand beside constructs, not in templates."""
    import cdk_nag  # not in every environment that runs tests

    app = cdk.App(
        outdir=str(folder / "cdk.out"),
        context={"@aws-cdk/core:validateAgainstDefaultRules": True},
        builtin_cloud_formation_validation=False,
    )
    cdk.Validations.of(app).add_plugins(
        rules.plugin(load().platform),
        cdk_nag.AwsSolutionsChecks(app, verbose=True),
        cdk_nag.NIST80053R5Checks(app, verbose=True),
    )
    unruled = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    for name, template in templates.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(template))
        include.CfnInclude(cdk.Stack(app, name, synthesizer=unruled), "T", template_file=str(file))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
    return _read(folder / "cdk.out/validation-report.json", templates)


def _read(report: Path, templates: Mapping[str, Json]) -> dict[str, Found]:
    found: dict[str, Found] = {name: set() for name in templates}
    own = rules.FILE.read_text() + rules.forbidden(load().platform.guardrails.forbidden_services)
    for plugin in json.loads(report.read_text())["pluginReports"]:
        for violation in plugin["violations"]:
            rule = str(violation["ruleName"])
            scanner = "Guard rules" if f"rule {rule} " in own else "cdk-nag" if rule.startswith(tuple(PACKS)) else None
            for construct in violation["violatingConstructs"] if scanner else ():
                stack, *_, resource = construct["constructPath"].split("/")
                found[stack].add((scanner or "", rule, resource))
    return found
