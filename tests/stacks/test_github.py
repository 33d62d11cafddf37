"""Roles for jobs on GitHub: one an environment, each value of its trust as it is, no right but to deliver there."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from conftest import Assembly, synthesize
from github_world import ACCOUNT, GITHUB, NAMED, github_config

from stacks.config import ConfigError, load
from stacks.github import GitHub

Json = dict[str, Any]

ISSUER = "token.actions.githubusercontent.com"


def template(folder: Path, **changes: Any) -> Json:
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    GitHub(app, "slipway-GitHub", config=github_config(**changes))
    app.synth()
    made: Json = json.loads((folder / "slipway-GitHub.template.json").read_text())
    return made


def of_kind(made: Json, kind: str) -> list[Json]:
    return [each["Properties"] for each in made["Resources"].values() if each["Type"] == kind]


def roles(made: Json) -> dict[str, Json]:
    return {role["RoleName"]: role for role in of_kind(made, "AWS::IAM::Role")}


def may(made: Json) -> dict[str, list[str]]:
    """What each role may become; nothing else is allowed."""
    found = {}
    for policy in of_kind(made, "AWS::IAM::Policy"):
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
        listed = statement["Resource"]
        name = made["Resources"][policy["Roles"][0]["Ref"]]["Properties"]["RoleName"]
        found[name] = listed if isinstance(listed, list) else [listed]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Json:
    return template(tmp_path_factory.mktemp("github"))


def test_the_provider_is_githubs_for_aws_alone(made: Json) -> None:
    (provider,) = of_kind(made, "AWS::IAM::OIDCProvider")

    assert provider == {
        "Url": f"https://{ISSUER}",
        "ClientIdList": ["sts.amazonaws.com"],
        "Tags": provider["Tags"],
    }


def test_each_environment_has_a_role_and_production_one_that_looks(made: Json) -> None:
    assert set(roles(made)) == {f"slipway-github-{name}" for name in ("dev", "staging", "prod", "prod-changes")}


@pytest.mark.parametrize("name", ["dev", "staging", "prod", "prod-changes"])
def test_a_role_trusts_one_environment_of_one_repository_on_one_branch(made: Json, name: str) -> None:
    role = roles(made)[f"slipway-github-{name}"]

    assert role["MaxSessionDuration"] == 3600
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"},
            "Condition": {
                "StringEquals": {
                    f"{ISSUER}:aud": "sts.amazonaws.com",
                    f"{ISSUER}:ref": "refs/heads/main",
                    f"{ISSUER}:sub": f"{NAMED}:environment:{name}",
                }
            },
        }
    ]


def test_a_role_becomes_its_own_environments_bootstrap_roles_and_no_others(made: Json) -> None:
    def bootstrap(account: str, *kinds: str) -> list[str]:
        return [f"arn:aws:iam::{account}:role/cdk-hnb659fds-{kind}-role-{account}-eu-west-1" for kind in kinds]

    def visits(account: str, environment: str, *roles: str) -> list[str]:
        return [f"arn:aws:iam::{account}:role/slipway-{environment}-{role}" for role in roles]

    delivers, both = ("deploy", "file-publishing", "lookup"), ("reviewer", "verifier")
    assert may(made) == {
        "slipway-github-dev": bootstrap("1" * 12, *delivers) + visits("1" * 12, "dev", *both),
        "slipway-github-staging": bootstrap("2" * 12, *delivers) + visits("2" * 12, "staging", *both),
        "slipway-github-prod": bootstrap("3" * 12, *delivers) + visits("3" * 12, "prod", *both),
        "slipway-github-prod-changes": bootstrap("3" * 12, "lookup") + visits("3" * 12, "prod", "reviewer"),
    }


def test_the_boundary_limits_every_role_to_what_they_may_together(made: Json) -> None:
    (boundary,) = of_kind(made, "AWS::IAM::ManagedPolicy")
    (statement,) = boundary["PolicyDocument"]["Statement"]

    assert boundary["ManagedPolicyName"] == "slipway-github-boundary"
    assert statement["Action"] == "sts:AssumeRole"
    assert set(statement["Resource"]) == {arn for arns in may(made).values() for arn in arns}
    assert all("Ref" in role["PermissionsBoundary"] for role in roles(made).values())


def test_a_repository_whose_tokens_carry_no_numbers_is_named_without(tmp_path: Path) -> None:
    made = template(tmp_path, owner_id=None, repository_id=None, branch="release/1")
    demanded = roles(made)["slipway-github-prod"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]

    assert demanded["StringEquals"][f"{ISSUER}:sub"] == "repo:example-org/slipway:environment:prod"
    assert demanded["StringEquals"][f"{ISSUER}:ref"] == "refs/heads/release/1"


def test_provider_and_boundary_may_be_there_already(tmp_path: Path) -> None:
    made = template(tmp_path, provider="account", boundary="baseline")

    assert of_kind(made, "AWS::IAM::OIDCProvider") == of_kind(made, "AWS::IAM::ManagedPolicy") == []
    for role in roles(made).values():
        assert json.dumps(role["PermissionsBoundary"]).endswith(':policy/slipway-baseline-boundary"]]}')


def test_whatever_bears_tags_says_whose_it_is(made: Json) -> None:
    for kind in ("AWS::IAM::OIDCProvider", "AWS::IAM::Role"):
        for each in of_kind(made, kind):
            tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
            assert {"owner", "business_unit"} <= set(tags)
            assert tags["platform"] == "slipway"
            assert tags.get("environment") == (each["RoleName"].split("-")[2] if "RoleName" in each else None)


def test_the_app_makes_it_when_asked_for_everything_and_the_section_is_there(
    tmp_path: Path, assembly: Assembly
) -> None:
    config = github_config()

    alone = synthesize(tmp_path / "alone", {"environment": "staging"}, config=config)

    assert [name for name in assembly.templates if name.endswith("GitHub")] == []
    assert [name for name in alone.templates if name.endswith("GitHub")] == []
    assert "slipway-GitHub" in synthesize(tmp_path / "all", config=config).templates


SECTION = '[github]\nrepository = "o/r"\nregion = "eu-west-1"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{SECTION}account = "333333333333"', "also the account of prod, whose deployments could rewrite"),
        (f'{SECTION}account = "{ACCOUNT}"\nboundary = "baseline"', "there is no baseline; add [rollout]"),
        (f'{SECTION}account = "{ACCOUNT}"\nowner_id = 1', "owner_id and repository_id go together"),
        (f'{SECTION}account = "{ACCOUNT}"\nbranch = "*"', "github.branch = '*'"),
        (f'[github]\nrepository = "o/*"\nregion = "eu-west-1"\naccount = "{ACCOUNT}"', "github.repository = 'o/*'"),
        ('[github]\nrepository = "o/r"\nregion = "eu-west-1"', "github.account: missing; add it"),
    ],
)
def test_a_delivery_that_cannot_be_is_named_by_check(environments: Path, text: str, said: str) -> None:
    platform = environments / "platform.toml"
    platform.write_text(platform.read_text().replace("[tags]", f"{text}\n\n[tags]", 1))

    with pytest.raises(ConfigError) as refused:
        load(environments)

    (mistake,) = refused.value.mistakes
    assert mistake.startswith("environments/platform.toml: ")
    assert said in mistake


def test_all_in_one_account_has_nothing_to_keep_apart(environments: Path) -> None:
    for file in environments.glob("*.toml"):
        file.write_text(file.read_text().replace("222222222222", "1" * 12).replace("333333333333", "1" * 12))
    platform = environments / "platform.toml"
    section = f'{SECTION}account = "{"1" * 12}"\n\n[tags]'
    platform.write_text(platform.read_text().replace("[tags]", section, 1))

    assert load(environments).platform.github


def test_the_name_of_the_delivery_is_no_environments(environments: Path) -> None:
    (environments / "staging.toml").rename(environments / "github.toml")
    platform = environments / "platform.toml"
    platform.write_text(platform.read_text().replace("[tags]", f'{SECTION}account = "{ACCOUNT}"\n\n[tags]', 1))

    with pytest.raises(ConfigError, match=r"environments/github.toml: the name 'github' is the delivery's"):
        load(environments)


@pytest.mark.parametrize(("trusted", "fits"), [([], False), ([ACCOUNT], True)])
def test_a_baseline_lets_the_delivery_in(environments: Path, trusted: list[str], *, fits: bool) -> None:
    rollout = f"""[rollout]
management_account = "999999999999"
organizational_units = ["ou-ab12-c3d4e5f6"]
regions = ["eu-west-1"]
trusted_accounts = {json.dumps(trusted)}

{SECTION}account = "{ACCOUNT}"
boundary = "baseline"

[tags]"""
    platform, dev = environments / "platform.toml", environments / "dev.toml"
    platform.write_text(platform.read_text().replace("[tags]", rollout, 1))
    dev.write_text(dev.read_text().replace('owner = "stack"', 'owner = "baseline"', 1))

    if fits:
        assert load(environments).platform.github
    else:
        with pytest.raises(ConfigError, match=rf"without {ACCOUNT}, from which \[github\] delivers to dev; add it"):
            load(environments)


def test_the_example_in_the_file_is_one(environments: Path) -> None:
    platform = environments / "platform.toml"
    text = platform.read_text()
    begin = text.index("# [github]")
    end = text.index("[tags]", begin)
    platform.write_text(text[:begin] + text[begin:end].replace("# ", "", 1).replace("\n# ", "\n") + text[end:])

    github = load(environments).platform.github

    assert github
    assert github.model_dump(exclude_defaults=True) == GITHUB
