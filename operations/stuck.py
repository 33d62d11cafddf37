"""A stack whose rollback failed: why, and the command with which a person leaves out what does not go back.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html
"""

from __future__ import annotations

from typing import Any

STUCK = "UPDATE_ROLLBACK_FAILED"


def why(cloudformation: Any, stack: dict[str, Any], deployer: str) -> str:
    """Resource, reason and way out of a stack as DescribeStacks tells it; `deployer` is the ARN of its role."""
    name = stack["StackName"]
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    failed = [one for one in resources if one["ResourceStatus"] == "UPDATE_FAILED"]
    told = "; ".join(
        f"{one['LogicalResourceId']} ({one['ResourceType']}): {one.get('ResourceStatusReason', 'no reason given')}"
        for one in failed
    )
    skipped = " ".join(one["LogicalResourceId"] for one in failed) or "<LogicalResourceId>"
    return (
        f"stack {name} is {STUCK} and stays so: {told or stack.get('StackStatusReason', 'no reason given')}; "
        "mend the cause and release again, or leave out what resists: "
        f"aws cloudformation continue-update-rollback --region {cloudformation.meta.region_name} "
        f"--stack-name {name} --role-arn {deployer} --resources-to-skip {skipped}"
    )
