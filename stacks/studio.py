"""SageMaker Studio without internet: a domain, and for each person a profile and a private space.

Files lie on the spaces' own volumes. There is no home file system: CloudFormation leaves it behind, with its network
interfaces, when a domain goes, and the applications offered here (JupyterLab, Code Editor) need none.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateDomain.html
https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1085
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker

from stacks.permissions import service
from stacks.vpc_endpoints import let_in

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.network import Network
    from stacks.studio_settings import StudioSettings, StudioUser

HIDDEN = ["Canvas", "DetailedProfiler", "JupyterServer", "RStudioServerPro", "TensorBoard"]
"""Applications that cost while nobody looks, want the internet, or need a home file system; none has settings here."""


class Studio(cdk.Stack):
    """Owns the domain with all that is in it; whoever leaves the list loses profile, space and volume."""

    def __init__(
        self, scope: Construct, id: str, *, config: StudioSettings, names: Names, key: kms.IKey, network: Network
    ) -> None:
        super().__init__(scope, id, description="SageMaker Studio of those who write code here")
        self._config, self._names = config, names
        group = self._group(network)
        self._domain = self._make_domain(group, key, network)
        for user in config.users:
            self._person(user)

    def _group(self, network: Network) -> ec2.CfnSecurityGroup:
        """One for all spaces: nothing comes in, not even from each other; out by HTTPS, where only endpoints answer."""
        group = ec2.CfnSecurityGroup(
            self,
            "Group",
            vpc_id=network.vpc_id,
            group_description="Studio",
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="tcp", from_port=443, to_port=443, cidr_ip="0.0.0.0/0", description="AWS by endpoints"
                )
            ],
        )
        if network.endpoint_group_id:
            let_in(self, group, network.endpoint_group_id)
        return group

    def _make_domain(self, group: ec2.CfnSecurityGroup, key: kms.IKey, network: Network) -> sagemaker.CfnDomain:
        domain = sagemaker.CfnDomain
        return sagemaker.CfnDomain(
            self,
            "Domain",
            domain_name=self._names.studio,
            auth_mode="IAM",  # people come by a URL that their own role asks for
            vpc_id=network.vpc_id,
            subnet_ids=network.subnet_ids,
            app_network_access_type="VpcOnly",
            kms_key_id=key.key_arn,
            home_efs_file_system_creation="Disabled",
            tag_propagation="ENABLED",  # what applications cost is told by person
            domain_settings=domain.DomainSettingsProperty(
                # The profile's name in every request that a notebook makes, for CloudTrail:
                # https://docs.aws.amazon.com/sagemaker/latest/dg/monitor-user-access.html
                execution_role_identity_config="USER_PROFILE_NAME",
                docker_settings=domain.DockerSettingsProperty(enable_docker_access="DISABLED"),
                security_group_ids=[group.attr_group_id],
            ),
            default_user_settings=self._defaults(group),
        )

    def _defaults(self, group: ec2.CfnSecurityGroup) -> sagemaker.CfnDomain.UserSettingsProperty:
        """What every profile has; each says its own role, and where one must stand here, one that may do nothing."""
        domain = sagemaker.CfnDomain
        nobody = iam.Role(self, "Nobody", assumed_by=service("sagemaker.amazonaws.com", self.account))
        return domain.UserSettingsProperty(
            execution_role=nobody.role_arn,
            security_groups=[group.attr_group_id],
            auto_mount_home_efs="Disabled",
            default_landing_uri="studio::",
            studio_web_portal="ENABLED",
            studio_web_portal_settings=domain.StudioWebPortalSettingsProperty(hidden_app_types=HIDDEN),
            sharing_settings=domain.SharingSettingsProperty(notebook_output_option="Disabled"),
            r_studio_server_pro_app_settings=domain.RStudioServerProAppSettingsProperty(access_status="DISABLED"),
            space_storage_settings=domain.DefaultSpaceStorageSettingsProperty(
                default_ebs_storage_settings=domain.DefaultEbsStorageSettingsProperty(
                    default_ebs_volume_size_in_gb=self._config.volume_gb,
                    maximum_ebs_volume_size_in_gb=max(
                        self._config.volume_gb, *(user.volume_gb or 0 for user in self._config.users)
                    ),
                )
            ),
            jupyter_lab_app_settings=domain.JupyterLabAppSettingsProperty(
                default_resource_spec=self._spec, app_lifecycle_management=self._idle
            ),
            code_editor_app_settings=domain.CodeEditorAppSettingsProperty(
                default_resource_spec=self._spec, app_lifecycle_management=self._idle
            ),
        )

    def _person(self, user: StudioUser) -> None:
        """Profile and space; CloudFormation takes the space away first, since it stands on the profile."""
        names, domain = self._names, self._domain.attr_domain_id
        profile = sagemaker.CfnUserProfile(
            self,
            f"Profile{user.part}",
            domain_id=domain,
            user_profile_name=user.profile,
            user_settings=sagemaker.CfnUserProfile.UserSettingsProperty(
                execution_role=names.role_arn(names.in_studio(user.persona, user.name))
            ),
            # By these a person's own role knows the profile: `stacks/studio_grants.py`.
            tags=[cdk.CfnTag(key="user", value=user.name), cdk.CfnTag(key="persona", value=user.persona)],
        )
        kind = sagemaker.CfnSpace
        space = sagemaker.CfnSpace(
            self,
            f"Space{user.part}",
            domain_id=domain,
            space_name=user.profile,
            ownership_settings=kind.OwnershipSettingsProperty(owner_user_profile_name=user.profile),
            space_sharing_settings=kind.SpaceSharingSettingsProperty(sharing_type="Private"),
            space_settings=kind.SpaceSettingsProperty(
                app_type="JupyterLab",
                jupyter_lab_app_settings=kind.SpaceJupyterLabAppSettingsProperty(
                    default_resource_spec=kind.ResourceSpecProperty(instance_type=self._config.instance_type(user))
                ),
                space_storage_settings=kind.SpaceStorageSettingsProperty(
                    ebs_storage_settings=kind.EbsStorageSettingsProperty(
                        ebs_volume_size_in_gb=user.volume_gb or self._config.volume_gb
                    )
                ),
            ),
        )
        space.add_resource_dependency(profile)

    @property
    def _spec(self) -> sagemaker.CfnDomain.ResourceSpecProperty:
        return sagemaker.CfnDomain.ResourceSpecProperty(instance_type=self._config.instance_types[0])

    @property
    def _idle(self) -> sagemaker.CfnDomain.AppLifecycleManagementProperty:
        """What shuts an idle application down: https://docs.aws.amazon.com/sagemaker/latest/dg/studio-updated-idle-shutdown.html."""
        idle, longest = self._config.idle_minutes, self._config.longest_idle_minutes
        return sagemaker.CfnDomain.AppLifecycleManagementProperty(
            idle_settings=sagemaker.CfnDomain.IdleSettingsProperty(
                lifecycle_management="ENABLED",
                idle_timeout_in_minutes=idle,
                min_idle_timeout_in_minutes=60,  # the least that AWS takes
                max_idle_timeout_in_minutes=longest,
            )
        )
