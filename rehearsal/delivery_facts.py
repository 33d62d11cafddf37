"""What the story of delivery found out, for machines (facts) and for people (tables)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from rehearsal.delivery_story import Delivery
    from rehearsal.pushes import Pushed

Facts = dict[str, Any]

PROVED = (
    "one `cdk deploy` makes the pipeline; it deploys every environment, each in its account, by the bootstrap's roles",
    "its build steps run as they are written, in clean copies of what was pushed",
    "a page says what would change, and who widens permissions is asked for; what was agreed to is what is deployed",
    "a push that does not work in staging is taken back there, and never comes to production",
    "the pipeline changes itself, and goes on when the process that does it is killed",
    "a change of one model's folder trains that model once it is deployed, and no other",
    "two pushes at once end in what the second says",
)
NOT_PROVED = (
    "connections to Git hosts, their triggers and pull requests: recorded only; pushes here are zip files in a bucket",
    "that mail and chat arrive: notification rules are recorded only",
    "the machines of builds: they run on this one, with what `make setup` installed, and download nothing",
    "AWS's timing: seconds are this machine's",
)


def facts(story: Delivery) -> Facts:
    """The run as plain values."""
    return {
        "pushes": [_push(push) for push in story.pushes],
        "accounts": {"delivery": story.plan.account, **{site.environment: site.account for site in story.plan.sites}},
        "checks": list(story.plan.checks),
        "trained": story.trained,
        "taken_back": story.taken_back,
        "killed": story.killed,
        "seconds": dict(story.seconds),
        "total_seconds": story.total_seconds,
    }


def _push(push: Pushed) -> Facts:
    return {
        "change": push.change,
        "outcome": push.outcome,
        "status": push.status,
        "executions": list(push.executions),
        "stages": [{"name": s.name, "status": s.status, "seconds": s.seconds} for s in push.stages],
        "agreed_by_a_person": list(push.agreed),
        "prod_before": push.prod_before,
        "prod_after": push.prod_after,
        "because": push.why,
    }


def tables(found: Facts) -> Iterator[RenderableType]:
    """The pushes by stage, what came of them, what this run shows."""
    yield Text("Pushed", style="bold")
    yield _pushes(found["pushes"])
    for push in found["pushes"]:
        asked = ", ".join(push["agreed_by_a_person"]) or "nobody"
        yield Text(f"{push['change']}: {push['outcome']}; a person agreed for {asked}")
    failed = next((push for push in found["pushes"] if push["because"]), None)
    if failed:
        yield Text(f"Why {failed['change']} failed", style="bold")
        yield Text(failed["because"])
    yield Text("What this run shows", style="bold")
    yield _shown()


def _pushes(pushes: list[Facts]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("stage")
    names = list(dict.fromkeys(stage["name"] for push in pushes for stage in push["stages"]))
    for number, _ in enumerate(pushes, 1):
        table.add_column(f"push {number}", justify="right")
    for name in names:
        table.add_row(name, *(_cell(push, name) for push in pushes))
    return table


def _cell(push: Facts, name: str) -> str:
    stage = next((stage for stage in push["stages"] if stage["name"] == name), None)
    if stage is None:
        return ""
    return (
        f"{stage['seconds']:.1f} s" if stage["status"] == "Succeeded" else f"{stage['status']} {stage['seconds']:.1f} s"
    )


def _shown() -> Table:
    table = Table(box=None, show_header=False)
    for word, lines in (("proved", PROVED), ("not proved", NOT_PROVED)):
        for line in lines:
            table.add_row(word, line)
    return table
