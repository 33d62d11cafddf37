"""Whether a change lets somebody do more: what counts, and what does not."""

from typing import Any

import pytest

from operations.widening import widened

Json = dict[str, Any]
READ = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "arn:aws:s3:::data/*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}


def template(kind: str, **properties: Any) -> Json:
    return {"Resources": {"Thing": {"Type": kind, "Properties": properties}}}


def policy(*statements: Json, roles: tuple[str, ...] = ("a",)) -> Json:
    return template("AWS::IAM::Policy", PolicyDocument={"Statement": list(statements)}, Roles=list(roles))


def bucket(*statements: Json) -> Json:
    return template("AWS::S3::BucketPolicy", PolicyDocument={"Statement": list(statements)})


def role(trust: Json = TRUST, **more: Any) -> Json:
    return template("AWS::IAM::Role", AssumeRolePolicyDocument={"Statement": [trust]}, **more)


DENY = {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
ELSEWHERE = {**TRUST, "Principal": {"AWS": "arn:aws:iam::555555555555:root"}}
RULE = {"CidrIp": "10.0.0.0/8", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
GROUP = "AWS::EC2::SecurityGroup"
GROUPS = "AWS::SageMaker::ModelPackageGroup"

ASSETS = "arn:aws:s3:::cdk-hnb659fds-assets-1-eu-west-1"
WIDER = {
    "all assets instead of one": (
        policy({**READ, "Resource": f"{ASSETS}/{'a' * 32}.zip"}),
        policy({**READ, "Resource": f"{ASSETS}/*"}),
    ),
    "another action": (policy(READ), policy({**READ, "Action": [*READ["Action"], "s3:PutObject"]})),
    "another resource": (policy(READ), policy({**READ, "Resource": [READ["Resource"], "arn:aws:s3:::more/*"]})),
    "everything": (policy(READ), policy({**READ, "Action": "*"})),
    "a condition gone": (policy({**READ, "Condition": {"Bool": {"a": "b"}}}), policy(READ)),
    "a condition changed": (
        policy({**READ, "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}),
        policy({**READ, "Condition": {"StringEquals": {"aws:SourceAccount": "2"}}}),
    ),
    "another statement": (policy(READ), policy(READ, {**READ, "Action": "s3:DeleteObject"})),
    "a policy for another role": (policy(READ), policy(READ, roles=("a", "b"))),
    "a new policy": ({"Resources": {}}, policy(READ)),
    "a stack that is not there": ({}, policy(READ)),
    "somebody else is trusted": (role(), role(ELSEWHERE)),
    "a managed policy": (role(), role(ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"])),
    "an inline policy": (role(), role(Policies=[{"PolicyName": "x", "PolicyDocument": {"Statement": READ}}])),
    "a boundary gone": (role(PermissionsBoundary="arn:b"), role()),
    "another boundary": (role(PermissionsBoundary="arn:b"), role(PermissionsBoundary="arn:c")),
    "a denial gone": (bucket(DENY, READ), bucket(READ)),
    "a denial of less": (bucket(DENY), bucket({**DENY, "Action": "s3:PutObject"})),
    "a port": (template(GROUP), template(GROUP, SecurityGroupIngress=[RULE])),
    "a registry": (
        template(GROUPS),
        template(GROUPS, ModelPackageGroupPolicy={"Statement": [{**READ, "Principal": "*"}]}),
    ),
    "a function that others invoke": (
        {"Resources": {}},
        template("AWS::Lambda::Permission", Action="lambda:InvokeFunction", Principal="*"),
    ),
    "a type that becomes another": (template("AWS::SNS::Topic"), policy(READ)),
}
NOT_WIDER = {
    "the next asset of a deployment": (
        policy({**READ, "Resource": f"{ASSETS}/{'a' * 32}.zip"}),
        policy({**READ, "Resource": f"{ASSETS}/{'b' * 32}.zip"}),
    ),
    "the same": (policy(READ), policy(READ)),
    "fewer actions": (policy(READ), policy({**READ, "Action": "s3:GetObject"})),
    "from everything to some": (policy({**READ, "Action": "*"}), policy(READ)),
    "another Sid": (policy(READ), policy({**READ, "Sid": "Read"})),
    "a statement gone": (policy(READ, TRUST), policy(READ)),
    "a denial more": (bucket(READ), bucket(READ, DENY)),
    "a list of one": (policy(READ), policy({**READ, "Resource": [READ["Resource"]]})),
    "a boundary at last": (role(), role(PermissionsBoundary="arn:b")),
    "a resource gone": (policy(READ), {"Resources": {}}),
    "a port closed": (template(GROUP, SecurityGroupIngress=[RULE]), template(GROUP)),
    "what is no permission": (template("AWS::SNS::Topic"), template("AWS::SNS::Topic", TopicName="x")),
    "references, spelled alike": (
        policy({**READ, "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]}}),
        policy({**READ, "Resource": [{"Fn::GetAtt": ["Bucket", "Arn"]}]}),
    ),
}


@pytest.mark.parametrize("case", WIDER)
def test_what_lets_somebody_do_more_is_told(case: str) -> None:
    before, after = WIDER[case]

    (found, *_) = widened(before, after)

    assert found.resource == "Thing"
    assert str(found).startswith(f"Thing ({after['Resources']['Thing']['Type']}): ")


@pytest.mark.parametrize("case", NOT_WIDER)
def test_what_lets_nobody_do_more_is_not(case: str) -> None:
    assert widened(*NOT_WIDER[case]) == []
