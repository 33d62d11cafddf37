"""Workflows on GitHub: an auditor finds nothing in them, and their jobs are the environments, stage by stage."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.config import ROOT, Config, load
from stacks.delivery_names import LOOKS_FIRST
from stacks.github_settings import GitHubSettings
from stacks.settings import Environment

Json = dict[str, Any]

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted((GITHUB / "actions").rglob("*.yml"))]
STAGES = ("Development", "Staging", "Production")
MAKERS = ("actions", "aws-actions")
"""Whose actions run here: GitHub's own, and AWS's."""

DEPLOY, CHANGE = "$/.github/workflows/deploy.yml", "$/.github/workflows/changes.yml"
USES = re.compile(r"uses: (?P<action>\S+?)(?:@(?P<sha>\S+))?(?: # (?P<version>.*))?$", re.MULTILINE)
ZIZMOR = Path(sys.executable).parent / "zizmor"


def read(file: Path) -> Json:
    """A workflow; YAML takes the key `on` for true."""
    told = yaml.safe_load(file.read_text())
    return {"on" if key is True else key: value for key, value in told.items()}


def jobs() -> Iterator[tuple[str, Json]]:
    for file in WORKFLOWS:
        yield from ((f"{file.name} {name}", job) for name, job in read(file)["jobs"].items())


def steps() -> Iterator[tuple[str, Json]]:
    told = [(name, job.get("steps", [])) for name, job in jobs()]
    told += [(file.parent.name, read(file)["runs"]["steps"]) for file in FILES if file not in WORKFLOWS]
    for name, listed in told:
        yield from ((f"{name}: {step['name']}", step) for step in listed)


def audited(place: Path, *more: str) -> list[Json]:
    """What zizmor finds as its strictest persona, without the network and whatever a configuration may say."""
    assert ZIZMOR.is_file(), "zizmor is not installed, and nothing is proved without it; `make setup` installs it"
    flags = ["--offline", "--no-config", "--strict-collection", "--persona", "auditor", "--no-exit-codes"]
    done = subprocess.run(
        [ZIZMOR, *flags, *more, "--no-progress", "--quiet", "--format", "json", place],
        env={"PATH": os.environ["PATH"], "HOME": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Json] = json.loads(done.stdout)
    return found


def test_an_auditor_finds_nothing() -> None:
    assert [f"{one['ident']}: {one['desc']}" for one in audited(GITHUB)] == []


def test_what_is_ignored_says_why() -> None:
    ignored = [line for file in FILES for line in file.read_text().splitlines() if "zizmor: ignore" in line]

    assert len(ignored) == len(audited(GITHUB, "--no-ignores"))
    for line in ignored:
        assert re.search(r"# zizmor: ignore\[[a-z-]+\] \w.{7}", line), line


GOOD = {
    "name": "Seeded",
    "on": {"push": {"branches": ["main"]}},
    "permissions": {},
    "concurrency": {"group": "seeded", "cancel-in-progress": False},
    "jobs": {
        "seeded": {
            "name": "Seeded",
            "runs-on": "ubuntu-24.04",
            "timeout-minutes": 5,
            "steps": [{"name": "Say", "run": "true"}],
        }
    },
}
CHECKOUT = f"actions/checkout@{'0' * 40}"


def seeded(folder: Path, step: Json, **changes: Any) -> set[str]:
    """What is found in a workflow without fault but for this step and these changes."""
    workflow = {**GOOD, **changes}
    workflow["jobs"] = {"seeded": {**GOOD["jobs"]["seeded"], "steps": [step]}}  # type: ignore[index]
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/seeded.yml").write_text(yaml.safe_dump(workflow, sort_keys=False))
    return {one["ident"] for one in audited(folder)}


@pytest.mark.parametrize(
    ("found", "step", "changes"),
    [
        ("template-injection", {"name": "Say", "run": "echo ${{ github.event.head_commit.message }}"}, {}),
        ("unpinned-uses", {"name": "Use", "uses": "actions/setup-node@v6"}, {}),
        ("artipacked", {"name": "Check out", "uses": CHECKOUT}, {}),
        ("excessive-permissions", {"name": "Say", "run": "true"}, {"permissions": {"id-token": "write"}}),
        ("dangerous-triggers", {"name": "Say", "run": "true"}, {"on": {"pull_request_target": {}}}),
        ("github-env", {"name": "Say", "run": 'echo "$NAME" >> "$GITHUB_ENV"'}, {"on": {"pull_request_target": {}}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_seeded_weakness_is_found(tmp_path: Path, found: str, step: Json, changes: Json) -> None:
    assert seeded(tmp_path / "clean", {"name": "Say", "run": "true"}) == set()
    assert found in seeded(tmp_path / "seeded", step, **changes)


def test_a_file_that_cannot_be_read_is_no_clean_file(tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/broken.yml").write_text("on: push\njobs: {x: {steps: 1}}\n")

    with pytest.raises(AssertionError, match="failed to"):
        audited(tmp_path)


def test_each_action_is_pinned_to_one_commit_and_says_its_version() -> None:
    pinned: dict[str, set[tuple[str, str]]] = {}
    for file in FILES:
        for used in USES.finditer(file.read_text()):
            if used["action"].startswith("$/"):
                continue
            pinned.setdefault(used["action"], set()).add((used["sha"], used["version"]))

    assert len(pinned) <= 4
    for action, pins in pinned.items():
        ((sha, version),) = pins
        assert action.split("/")[0] in MAKERS
        assert re.fullmatch(r"[0-9a-f]{40}", sha), action
        assert re.fullmatch(r"v\d+\.\d+\.\d+", version), action


def test_no_key_is_kept_and_only_who_becomes_a_role_gets_a_token() -> None:
    for file in FILES:
        assert not re.search(r"secrets\.|secrets:|aws-access-key|AWS_ACCESS_KEY|AWS_SECRET", file.read_text()), (
            file.name
        )
    for file in WORKFLOWS:
        assert read(file)["permissions"] == {}
    for name, job in jobs():
        becomes = job.get("uses") in {DEPLOY, CHANGE} or "AWS_ROLE_ARN" in json.dumps(job)
        wanted = {"contents": "read", **({"id-token": "write"} if becomes else {})}
        assert job["permissions"] == wanted, name
        assert not becomes or "uses" in job or "environment" in job, name


def test_every_job_ends_by_itself_and_no_deployment_is_cancelled() -> None:
    for name, job in jobs():
        if "uses" in job:
            continue
        assert 0 < job["timeout-minutes"] <= 90, name
        if "environment" in job:
            assert job["concurrency"] == {"group": f"deliver-{job['environment']}", "cancel-in-progress": False}


def test_no_checkout_leaves_a_token_behind() -> None:
    found = [(name, step) for name, step in steps() if step.get("uses", "").startswith("actions/checkout@")]

    assert len(found) >= 4
    assert [name for name, step in found if step["with"] != {"persist-credentials": False}] == []


def lacking(config: Config, delivery: Json) -> Iterator[str]:
    """Where the workflow's jobs are not the environments of the files, in the order of their stages."""
    told = delivery["jobs"]
    deploys = {job["with"]["environment"]: name for name, job in told.items() if job.get("uses") == DEPLOY}
    shows = {job["with"]["environment"]: name for name, job in told.items() if job.get("uses") == CHANGE}
    known = {environment.name: environment for environment in config.environments}
    for name in deploys.keys() - known.keys():
        yield f"deliver.yml: job {deploys[name]}: environments/ has no {name}.toml; remove the job, or add the file"
    for name in known.keys() - deploys.keys():
        yield f"environments/{name}.toml: no job of deliver.yml deploys it; add one after those of the stage before"
    for name in deploys.keys() & known.keys():
        waits = {told[one]["with"]["environment"] for one in _before(told, deploys[name]) if "with" in told[one]}
        earlier = {other.name for other in config.environments if _comes_before(config, other, known[name])}
        if earlier - waits:
            yield f"deliver.yml: job {deploys[name]}: waits not for {', '.join(sorted(earlier - waits))}; add to needs"
        if known[name].stage == "Production" and shows.get(name) not in told[deploys[name]]["needs"]:
            yield f"deliver.yml: job {deploys[name]}: its changes are shown to nobody; let it need a job of changes.yml"


def _comes_before(config: Config, first: Environment, then: Environment) -> bool:
    """An earlier stage, or where models are trained, since the others fetch from there."""
    trains = config.platform.registry == first.name != then.name
    return trains or STAGES.index(first.stage) < STAGES.index(then.stage)


def _before(told: Json, name: str) -> set[str]:
    """Jobs that have succeeded before this one begins."""
    needed = set(told[name].get("needs", []))
    return needed.union(*(_before(told, one) for one in needed))


def test_the_jobs_are_the_environments_in_the_order_of_their_stages() -> None:
    assert list(lacking(load(), read(GITHUB / "workflows/deliver.yml"))) == []


def named(config: Config, name: str, **changes: Any) -> Environment:
    return Environment.model_validate({**config.environment("staging").model_dump(), "name": name, **changes})


def test_a_fork_with_another_environment_is_told() -> None:
    config, delivery = load(), read(GITHUB / "workflows/deliver.yml")

    more = Config(platform=config.platform, environments=(*config.environments, named(config, "qa")))
    fewer = Config(platform=config.platform, environments=tuple(e for e in config.environments if e.name != "staging"))

    assert [told.split(":")[0] for told in lacking(more, delivery) if "qa.toml" in told] == ["environments/qa.toml"]
    assert [told for told in lacking(more, delivery) if "job prod: waits not for qa" in told]
    assert [told for told in lacking(fewer, delivery) if "environments/ has no staging.toml" in told]


@pytest.mark.parametrize(
    ("job", "needs", "said"),
    [
        ("prod", ["synth", "dev"], "waits not for staging"),
        ("prod", ["synth", "staging"], "its changes are shown to nobody"),
        ("staging", ["synth"], "waits not for dev"),
    ],
)
def test_an_order_that_is_not_that_of_the_stages_is_told(job: str, needs: list[str], said: str) -> None:
    delivery = read(GITHUB / "workflows/deliver.yml")
    delivery["jobs"][job]["needs"] = needs

    assert [told for told in lacking(load(), delivery) if f"job {job}: {said}" in told]


def test_it_delivers_the_platforms_own_branch_and_stages() -> None:
    platform, delivery = load().platform, read(GITHUB / "workflows/deliver.yml")
    branch = platform.github.branch if platform.github else GitHubSettings.model_fields["branch"].default
    commands = [step["run"] for name, step in steps() if name.startswith("deploy.yml") and "cdk deploy" in str(step)]

    assert delivery["on"] == {"push": {"branches": [branch]}}
    assert read(GITHUB / "workflows/check.yml")["on"]["push"] == {"branches-ignore": [branch]}
    assert commands == [f'npx cdk deploy --app cdk.out "{platform.name}-$ENVIRONMENT/*" --require-approval never']


def test_nothing_is_deployed_that_was_not_checked_and_synthesized_once() -> None:
    told = read(GITHUB / "workflows/deliver.yml")["jobs"]

    assert [name for name, _ in steps() if "Synth" in name] == ["deliver.yml synth: Synth, once for all environments"]
    for name, job in told.items():
        if job.get("uses") in {DEPLOY, CHANGE}:
            assert {"checks", "synth"} <= _before(told, name)
            assert job["with"]["digest"] == "${{ needs.synth.outputs.digest }}"


def test_who_looks_is_bound_to_an_environment_that_nobody_approves() -> None:
    (job,) = read(GITHUB / "workflows/changes.yml")["jobs"].values()

    assert job["environment"] == f"${{{{ inputs.environment }}}}-{LOOKS_FIRST}"
