"""Verbs about the roll-out to organizational units: what it would do, whether accounts still are as it made them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.choice import UsageError, console, session_in
from commands.platform import synthesize
from stacks.baseline_names import ROLLOUT, BaselineNames
from stacks.config import load

if TYPE_CHECKING:
    from pathlib import Path

    from operations.drift import Finding
    from operations.rollout import Plan, StackSet
    from stacks.config import Config
    from stacks.rollout_settings import RolloutSettings

TO_TRY_AGAIN = "What failed or is missing is not tried again by itself; docs/decisions/rollout.md says how."

app = typer.Typer(no_args_is_help=True, help="The account baseline of whole organizational units: plan, drift.")


@app.command("plan")
def plan() -> None:
    """Print which accounts get what, before anything happens; `npx cdk deploy "*-rollout/*"` then does it."""
    from operations import rollout

    config, settings = _configured()
    client = _session(settings).client
    stack_sets = planned(synthesize(ROLLOUT), config.platform.name)
    alone = upon(config, baseline=False) if settings.bootstrap else {}
    stand = rollout.Environments(upon(config, baseline=True), alone)
    found = rollout.plan(client, stack_sets, management=settings.management_account, environments=stand)
    for each in stack_sets:
        kinds = [f"{kind} {number}" if number > 1 else kind for kind, number in sorted(each.kinds().items())]
        console.print(f"{each.name}: {', '.join(kinds)}")
    _show(found, stack_sets)


@app.command("drift")
def drift(every: Annotated[float, typer.Option(help="Seconds between looks at a detection that goes on.")] = 5) -> None:
    """Detect drift now, wait for it, and print every account that is not as the roll-out made it."""
    from operations.drift import look_for_drift

    config, settings = _configured()
    cloudformation = _session(settings).client("cloudformation")
    names = BaselineNames(config.platform.name)
    stack_sets = [names.stack_set, *([names.bootstrap_stack_set] if settings.bootstrap else [])]
    found = [
        finding
        for stack_set in stack_sets
        for finding in look_for_drift(cloudformation, stack_set, settings.call_as, every_seconds=every)
    ]
    for finding in found:
        _print(finding)
    if not all(finding.good for finding in found):
        raise typer.Exit(1)
    console.print(f"{len(found)} stacks are as the roll-out made them")


def planned(folder: Path, platform: str) -> list[StackSet]:
    """The stack sets of a synthesized roll-out, in order, each with the template it carries."""
    from operations.rollout import StackSet

    (stage,) = folder.glob(f"*{platform}-{ROLLOUT}")
    (manifest,) = stage.glob("*.assets.json")
    template = json.loads((stage / manifest.name.replace(".assets.", ".template.")).read_text())
    files = json.loads(manifest.read_text())["files"]
    made = []
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudFormation::StackSet":
            asset = resource["Properties"]["TemplateURL"]["Fn::Sub"].split("/")[-1].split(".")[0]
            text = (stage / files[asset]["source"]["path"]).read_text()
            made.append(StackSet.of(resource["Properties"], text))
    return made


def upon(config: Config, *, baseline: bool) -> dict[str, str]:
    """Accounts of environments that await the baseline, or of those that make key and boundary themselves."""
    owner = "baseline" if baseline else "stack"
    found = [each for each in config.environments if each.governance.owner == owner and not each.governance.key_arn]
    return {each.account: f"environment {each.name}" for each in found}


def refuse_missing_units() -> None:
    """Raise UsageError naming the units of [rollout] that the organization does not have."""
    from operations.members import members_of
    from operations.rollout import about_missing

    _, settings = _configured()
    _, missing = members_of(_session(settings).client("organizations"), settings.organizational_units)
    if missing:
        raise UsageError("\n".join(about_missing(missing)))


def _configured() -> tuple[Config, RolloutSettings]:
    config = load()
    if config.platform.rollout is None:
        raise UsageError("nothing is rolled out: environments/platform.toml has no [rollout]")
    return config, config.platform.rollout


def _session(settings: RolloutSettings) -> Any:
    """A session that is proven to be of the account that rolls out."""
    account = settings.administrator
    about = f"the roll-out is administered from {account}"
    return session_in(account, settings.home, about, "[rollout] in environments/platform.toml")


def _show(found: Plan, stack_sets: list[StackSet]) -> None:
    names = [each.name for each in stack_sets]
    rows = [("account", "name", "organizational unit", "region", *names)]
    rows += [(line.account, line.name, line.path, line.region, *line.doing) for line in found.lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        console.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in found.lines:
        for name, reason in zip(names, line.reasons, strict=True):
            if reason:
                console.print(f"{name} in {line.account} {line.region}: {reason}")
    for note in found.notes:
        console.print(note)
    if any(line.stuck for line in found.lines):
        console.print(TO_TRY_AGAIN)


def _print(finding: Finding) -> None:
    if finding.good:
        return
    about = f"{finding.stack_set} in {finding.account} {finding.region}"
    console.print(f"{about}: {finding.status}, {finding.drift}{f': {finding.reason}' if finding.reason else ''}")
    for difference in finding.differences:
        console.print(f"  {difference}")
