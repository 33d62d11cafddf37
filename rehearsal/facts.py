"""What a rehearsal found out, for machines (facts) and for people (tables)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from rehearsal.act import real_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from rehearsal.act import Act
    from rehearsal.inbox import Notice
    from rehearsal.release_acts import Released
    from rehearsal.scaling_act import Scaled
    from rehearsal.story import Rehearsal

Facts = dict[str, Any]

METRICS = ("auc", "pr_auc", "log_loss", "log_loss_constant", "brier", "calibration_error")

PROVED = (
    "the templates deploy in order, every reference resolves, every created resource answers its service's API",
    "the deployed definition is valid for SageMaker's API shapes",
    "its steps run on real data, as processes with the image's lock, from the source the image is built of",
    "the gates, the registration and the comparison with the champion work on what was deployed",
    "an arriving period, a schedule and a person start runs; faults are retried, interrupted jobs go on, failures told",
    "a version is served as it was trained; one that errs is taken back by its alarm, and one command goes back",
    "its instances follow the load out and back in, by the deployed policies; one process answers for all of them",
    "bucket, key, registry and trust policies let in whom they name, and nobody else",
)
NOT_PROVED = (
    "that the roles' own policies suffice, and what SCPs forbid: they are not evaluated",
    "that Docker builds the images, and what a scan finds in them: stand-ins lie in the repository",
    "that subnets route to S3, that quotas and instance types are available",
    "AWS's timing and prices: seconds are this machine's, and waits are skipped",
)


def facts(rehearsal: Rehearsal) -> Facts:
    """The run as plain values; `version` is the newest, `champion` the one it was compared with."""
    versions = rehearsal.versions
    read_back = rehearsal.inventory
    return {
        "stacks": [name for _, name in rehearsal.stacks],
        "accounts": {site.environment: site.account for site in rehearsal.plan.sites},
        "resources": {
            "declared": read_back.declared,
            "created": read_back.created,
            "recorded_only": read_back.recorded_only,
            "waiting": read_back.waiting,
        },
        "data": _data(versions[-1]),
        "runs": [_run(act) for act in rehearsal.acts],
        "steps": [step for act in rehearsal.acts for step in _steps(act)],
        "versions": [_version(act) for act in versions],
        "version": _version(versions[-1]),
        "champion": rehearsal.champion,
        "releases": [of_release(released) for released in rehearsal.acting.releases],
        "scaling": [_scaled(scaled) for scaled in rehearsal.acting.scaling],
        "invocations": rehearsal.acting.invocations,
        "release_notice": _told_of(rehearsal.acting.notice),
        "seconds": {**rehearsal.seconds, "total": rehearsal.total_seconds},
        "simulated_seconds": sum(sum(act.simulated_seconds.values()) for act in rehearsal.acts)
        + sum(released.simulated_seconds for released in rehearsal.acting.releases)
        + sum(scaled.simulated_seconds for scaled in rehearsal.acting.scaling),
        "proved": list(PROVED),
        "not_proved": list(NOT_PROVED),
    }


def _data(act: Act) -> Facts:
    snapshot = act.snapshot
    return {
        "rows": sum(snapshot["rows"].values()),
        "rows_by_part": snapshot["rows"],
        "excluded": snapshot["excluded"],
        "quarantined": snapshot["quarantined"]["total"],
        "by_reason": snapshot["quarantined"]["by_reason"],
        "sha256": snapshot["sha256"],
    }


def _run(act: Act) -> Facts:
    return {
        "title": act.scene.title,
        "reason": act.scene.reason,
        "period": act.scene.period,
        "execution": act.outcome.arn,
        "status": act.outcome.status,
        "failure": act.outcome.failure,
        "waits": act.simulated_seconds,
        "notice": _told_of(act.notice),
    }


def _told_of(notice: Notice | None) -> Facts | None:
    return {"subject": notice.subject, "message": notice.message} if notice else None


def _steps(act: Act) -> Iterator[Facts]:
    """Seconds are those of this machine; what a step waited for AWS is simulated and told apart."""
    for step in act.outcome.steps:
        waited = sum(seconds for why, seconds in act.simulated_seconds.items() if step.name in why)
        yield {
            "execution": act.outcome.arn,
            "run": act.scene.title,
            "period": act.scene.period,
            "name": step.name,
            "status": step.status,
            "seconds": None if step.span is None else round(real_seconds(step, act.skipped), 3),
            "simulated_seconds": waited,
            "attempts": step.attempts,
            "cached": step.cached,
        }


def _version(act: Act) -> Facts:
    version = act.version
    return {
        "arn": version["ModelPackageArn"],
        "period": act.scene.period,
        "reason": version["CustomerMetadataProperties"]["reason"],
        "author": version["CustomerMetadataProperties"]["author"],
        "stage": version["ModelLifeCycle"]["Stage"],
        "status": version["ModelLifeCycle"]["StageStatus"],
        "approval": version["ModelApprovalStatus"],
        "metrics": act.evaluation["metrics"],
        "compared_with": act.evaluation["champion"],
        "provenance": version["CustomerMetadataProperties"]["provenance"],
    }


def of_release(released: Released) -> Facts:
    """What asked for a release, what decided how it ended, and what it cost."""
    entry = released.entry
    return {
        "title": released.title,
        "version": entry.version,
        "environment": released.environment,
        "outcome": entry.outcome,
        "cause": released.cause,
        "asked": entry.cause,
        "because": entry.because,
        "from": entry.previous,
        "to": released.live,
        "seconds": released.seconds,
        "simulated_seconds": released.simulated_seconds,
    }


def _scaled(scaled: Scaled) -> Facts:
    return {"endpoint": scaled.endpoint, "from": scaled.before, "to": scaled.after, "cause": scaled.cause}


def tables(found: Facts) -> list[RenderableType]:
    """The same for people: what was deployed, what ran, how good it is, what this shows and does not."""
    return [_deployed(found), _ran(found), *_told(found), _good(found), _live(found), took(found), shown(found)]


def titled(title: str, *columns: str, show_header: bool = True) -> Table:
    return Table(
        *columns, title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_header=show_header
    )


def _deployed(found: Facts) -> Table:
    resources, data = found["resources"], found["data"]
    table = titled("Deployed by the real CDK CLI", show_header=False)
    table.add_row("stacks", ", ".join(found["stacks"]))
    table.add_row("resources", f"{resources['declared']} declared, {resources['created']} created and read back")
    waiting = f"{len(resources['waiting'])}, of endpoints no version was released to"
    table.add_row("not made yet", waiting if resources["waiting"] else "none")
    recorded = ", ".join(f"{r['type']} {r['logical_id']}" for r in resources["recorded_only"])
    table.add_row("recorded only", recorded or "none")
    table.add_row("rows", ", ".join(f"{name} {count:,}" for name, count in data["rows_by_part"].items()))
    table.add_row("excluded", ", ".join(f"{name} {count:,}" for name, count in data["excluded"].items()))
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in data["by_reason"].items())
    table.add_row("quarantined", f"{data['quarantined']:,}" + (f" ({reasons})" if reasons else ""))
    return table


def _ran(found: Facts) -> Table:
    """A row a step, a column a training."""
    titles = [run["title"] for run in found["runs"]]
    headings = [f"{run['period']}\n{run['reason']}" for run in found["runs"]]
    table = titled("Ran by the deployed pipeline", "step", *headings)
    for name in dict.fromkeys(step["name"] for step in found["steps"]):
        ran = {step["run"]: step for step in found["steps"] if step["name"] == name}
        table.add_row(name, *(_how(ran.get(title)) for title in titles))
    waits = [(why, seconds) for run in found["runs"] for why, seconds in run["waits"].items()]
    table.caption = "\n".join(f"simulated, not waited: {seconds:,.0f} s, {why}" for why, seconds in waits)
    table.caption_justify = "left"
    return table


def _told(found: Facts) -> list[RenderableType]:
    """What people were told of a run and a release that failed."""
    notices = [run["notice"] for run in found["runs"]] + [found["release_notice"]]
    # As plain text: in a frame the commands in it could not be copied.
    return [
        Text("\n".join(["Told to people: " + notice["subject"], *notice["message"].splitlines()]).replace("\n", "\n  "))
        for notice in notices
        if notice
    ]


def _how(step: Facts | None) -> str:
    if step is None:
        return "not run"
    if step["cached"]:
        return "cached"
    words = [] if step["status"] == "Succeeded" else [step["status"]]
    words += [] if step["seconds"] is None else [f"{step['seconds']:.1f} s"]
    words += [f"attempt {step['attempts']}"] if step["attempts"] > 1 else []
    return " ".join(words)


def _good(found: Facts) -> Table:
    versions = found["versions"]
    headings = [f"version {v['arn'].rsplit('/', 1)[1]}\non {v['period']}\n{v['reason']}" for v in versions]
    champion = versions[-1]["compared_with"]
    table = titled("Registered", "", *headings, f"champion\non {versions[-1]['period']}")
    for metric in METRICS:
        beside = champion.get(metric)
        figures = [f"{version['metrics'][metric]:.4f}" for version in versions]
        table.add_row(metric, *figures, "" if beside is None else f"{beside:.4f}")
    table.caption = "\n".join(_whose(version) for version in versions)
    table.caption_justify = "left"
    return table


def _whose(version: Facts) -> str:
    """A version's state, and the author, who may not approve it."""
    state = f"{version['stage']}/{version['status']}, {version['approval']}"
    return f"{version['arn']}\n  {state}, author {version['author']}"


def _live(found: Facts) -> Table:
    """A row a release."""
    table = titled("Released", "in", "", "outcome", "live", "took", "skipped")
    for release in found["releases"]:
        live = release["to"].rsplit("/", 1)[-1]
        took, skipped = f"{release['seconds']:.1f} s", f"{release['simulated_seconds']:.0f} s"
        table.add_row(release["environment"], release["title"], release["outcome"], live, took, skipped)
    table.caption = "\n".join(_instances(scaled) for scaled in found["scaling"])
    table.caption_justify = "left"
    return table


def _instances(scaled: Facts) -> str:
    why = "under load" if scaled["to"] > scaled["from"] else "when nobody asks"
    return f"scaled: {scaled['endpoint']} from {scaled['from']} to {scaled['to']} instances {why}"


def took(found: Facts) -> Table:
    """A row a phase."""
    table = titled("Where the time went", "phase", "seconds")
    for phase, seconds in found["seconds"].items():
        table.add_row(phase, f"{seconds:.1f}")
    return table


def shown(found: Facts) -> Table:
    """What the run proves and what it does not."""
    table = titled("What this run shows", show_header=False)
    for line in found["proved"]:
        table.add_row("proved", line)
    for line in found["not_proved"]:
        table.add_row("not proved", line)
    return table
