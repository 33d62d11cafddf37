"""Resource control policies: who may reach what lies in the platform's accounts, whatever a resource's own policy says.

They apply to some services only, and SageMaker, SNS and Lambda are not among them:
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html#rcp-supported-services
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.denials import Denial, document

if TYPE_CHECKING:
    from stacks.denials import Json, Perimeter

GUARDED = ("dynamodb:*", "ecr:*", "kms:*", "logs:*", "s3:*", "secretsmanager:*", "sqs:*", "sts:AssumeRole")
"""Of sts only this: who comes by SAML or a web identity belongs to no organization before they have come."""


def resource_control_policies(about: Perimeter) -> dict[str, Json]:
    """Every resource control policy, by name; none without an organization to speak of."""
    return {name: document(denials, Principal="*") for name, denials in resource_control_denials(about).items()}


def resource_control_denials(about: Perimeter) -> dict[str, list[Denial]]:
    """The same with their reasons."""
    if not about.organization_id:
        return {}
    return {"resources": [_principals(about.organization_id), _deputies(about.organization_id)]}


def _principals(organization: str) -> Denial:
    """AWS's services are let in here, and asked whom they come for by the other statement."""
    return Denial(
        "OnlyPrincipalsOfTheOrganization",
        "A bucket or key that is shared by mistake is shared with nobody outside.",
        GUARDED,
        {
            "StringNotEqualsIfExists": {"aws:PrincipalOrgID": organization},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    )


def _deputies(organization: str) -> Denial:
    """Services that name no account on whose behalf they come cannot be told apart, and are let in.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html#cross-service-confused-deputy-prevention
    """
    return Denial(
        "ServicesOnlyForTheOrganization",
        "A service that somebody outside has sent must not use what trusts the service.",
        GUARDED,
        {
            "StringNotEqualsIfExists": {"aws:SourceOrgID": organization},
            "Null": {"aws:SourceAccount": "false"},
            "Bool": {"aws:PrincipalIsAWSService": "true"},
        },
    )
