"""Our own rules about templates, beside those of CloudFormation and of the rule packs.

https://docs.aws.amazon.com/cdk/v2/guide/policy-validation-synthesis.html
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import aws_cdk as cdk

if TYPE_CHECKING:
    from stacks.settings import Platform

FILE = Path(__file__).with_name("rules.guard")

NAMESPACES = {"elasticmapreduce": "EMR", "es": "Elasticsearch", "states": "StepFunctions"}
"""Services that CloudFormation spells otherwise than IAM; all others differ in capitals at most."""


def plugin(platform: Platform) -> cdk.CloudFormationValidatePlugin:
    """CDK's validation with our rules; given explicitly it takes the place of the one CDK adds by itself."""
    content = FILE.read_text() + forbidden(platform.guardrails.forbidden_services)
    return cdk.CloudFormationValidatePlugin(guard_rules=[cdk.ValidationRuleSource(name=FILE.name, content=content)])


def forbidden(services: tuple[str, ...]) -> str:
    """The rule about services nobody may use, which the organization's policies forbid as well."""
    if not services:
        return ""
    names = "|".join(NAMESPACES.get(service, service).replace("-", "") for service in services)
    return f"""
rule forbidden_services {{
    Resources.*.Type != /^(?i)AWS::({names})::/
    <<a forbidden service: remove it, or take it off forbidden_services in platform.toml>>
}}
"""
