"""What the story of governance found out, for machines (facts) and for people (tables)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.facts import shown, titled, took
from rehearsal.governance_story import LATE
from rehearsal.land import MANAGEMENT

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from rehearsal.governance_story import Governance
    from rehearsal.people import Decided, Reason

Facts = dict[str, Any]

WIDTHS = (9, 18, 7, 34)
"""Of the table of deeds: the longest statement's name, and a terminal of 80 columns."""

PROVED = (
    "one deployment gives all accounts of a unit boundary, key, budget and bootstrap; the plan said so first",
    "an account that joins gets the same by itself; accounts of other units get nothing",
    "the rooms of governance stand upon the baseline; every created resource answers its service's API",
    "what is changed by hand is found, by resource and property",
    "by policies, boundary and SCPs as they stand: who asks cannot approve, nor can who made it",
    "by the same: a scientist starts no pipeline and passes no role, an administrator is held by the guardrails",
    "what was allowed of a version was really done, in the order of its life",
)
NOT_PROVED = (
    "that AWS refuses: every decision is the IAM simulator's, from what was read back",
    "anything by the embedded AWS's own word: it evaluates no policies of roles, boundaries, PassRole or SCPs",
    "that AWS fills condition keys as its tables say, and that sessions of people carry their name",
    "that the pipeline names the author: the story registered this version",
    "mails and bills: a budget tells nobody here",
)


def facts(story: Governance) -> Facts:
    """The run as plain values."""
    land, read_back = story.land, story.inventory
    return {
        "organization": story.organization,
        "accounts": dict(land.accounts),
        "plan": story.planned,
        "rolled_out": story.rolled_out,
        "joined": {"account": land.accounts[LATE], **story.joined},
        "elsewhere": story.elsewhere,
        "drift": story.drifted,
        "drift_mended": story.mended,
        "guardrails": {"SCP": sorted(story.people.above.service), "RCP": sorted(story.people.above.resource)},
        "budgets": [_budget(each) for each in story.budgets],
        "stacks": [{"account": each.account, "region": each.region, "name": each.name} for each in story.stood],
        "resources": {
            "declared": read_back.declared,
            "created": read_back.created,
            "recorded_only": read_back.recorded_only,
            "waiting": read_back.waiting,
        },
        "version": {"arn": story.version, "stands": story.stands},
        "people": [_decided(each) for each in story.people.decided],
        "seconds": {**{name: round(spent, 2) for name, spent in story.seconds.items()}, "total": story.total_seconds},
        "proved": list(PROVED),
        "not_proved": list(NOT_PROVED),
    }


def _budget(told: Facts) -> Facts:
    limit = told["BudgetLimit"]
    return {"account": told["account"], "name": told["BudgetName"], "monthly": f"{limit['Amount']} {limit['Unit']}"}


def _decided(decided: Decided) -> Facts:
    """Who, what, why; `without` is how it would be decided if the organization forbade nothing."""
    deed, answer = decided.deed, decided.answer
    return {
        "user": deed.user,
        "role": deed.role.name,
        "boundary": deed.role.boundary_arn,
        "does": deed.does,
        "action": deed.action,
        "resource": deed.resource,
        "context": dict(deed.context),
        "allowed": answer.allowed,
        "because": [_because(reason) for reason in answer.because],
        "allowed_without_organization": decided.without,
        "version_after": decided.after,
    }


def _because(reason: Reason) -> Facts:
    return {"kind": reason.kind, "policy": reason.policy, "statement": reason.statement, "text": str(reason)}


def tables(found: Facts) -> list[RenderableType]:
    """The same for people."""
    return [_planned(found), _deployed(found), _drifted(found), _people(found), took(found), shown(found)]


def _planned(found: Facts) -> Table:
    table = titled("Planned: slipway rollout plan", "account", "name", "unit", "gets")
    for row in found["plan"]:
        table.add_row(row["account"], row["name"], row["unit"], "\n".join(_does(row["does"])))
    return table


def _does(does: dict[str, str]) -> list[str]:
    return [f"{stack_set}: {word}" for stack_set, word in does.items()]


def _deployed(found: Facts) -> Table:
    names = {account: name for name, account in found["accounts"].items()} | {MANAGEMENT: "management"}
    resources = found["resources"]
    table = titled("Deployed by the real CDK CLI and its stack sets", show_header=False)
    for account, name in names.items():
        stacks = [each["name"] for each in found["stacks"] if each["account"] == account]
        table.add_row(name, ", ".join(map(_short, stacks)) or "nothing")
    joined = {key: how for key, how in found["joined"].items() if key != "account"}
    table.add_row("joined late", f"{names[found['joined']['account']]}, {', '.join(_does(joined))}")
    for kind, policies in found["guardrails"].items():
        table.add_row(f"{kind}s", ", ".join(policies))
    for each in found["budgets"]:
        table.add_row("budget", f"{names[each['account']]}: {each['monthly']} a month")
    table.add_row("resources", f"{resources['declared']} declared, {resources['created']} created and read back")
    recorded = ", ".join(f"{each['type']} {each['logical_id']}" for each in resources["recorded_only"])
    table.add_row("recorded only", recorded or "none")
    return table


def _short(stack: str) -> str:
    """Stack sets' stacks end in an id."""
    return stack if not stack.startswith("StackSet-") else stack.rsplit("-", 5)[0]


def _drifted(found: Facts) -> Table:
    """Resource and property of each difference; what they are and should be stands in the facts."""
    table = titled("Changed by hand: slipway rollout drift", show_header=False)
    for each in found["drift"]:
        where = [difference.split(": ")[0] for difference in each["differences"]]
        table.add_row(f"{each['stack_set']}\nin {each['place']}", "\n".join([each["how"], *where]))
    table.add_row("taken back", found["drift_mended"])
    return table


def _people(found: Facts) -> Table:
    """A row a deed; who, as what, and which statement stands against it."""
    table = titled("Who may what", "who", "does", "", "because, or how the version stands then")
    for column, width in zip(table.columns, WIDTHS, strict=True):
        column.width, column.overflow = width, "fold"
    for each in found["people"]:
        why = "\n".join(reason["text"] for reason in each["because"])
        kind, _, person = each["role"].split("-", 2)[-1].partition(".")
        role = "in Studio" if person else kind.replace("-", " ")
        word = "allowed" if each["allowed"] else "refused"
        table.add_row(f"{each['user']}, {role}", each["does"], word, each["version_after"] or why)
    version = found["version"]
    table.caption = (
        "Decided by the IAM simulator, on what was read back from the embedded AWS, which\n"
        "itself would let all of it pass. What is allowed is done:\n"
        f"{version['arn'].split(':')[-1]} is {version['stands']}."
    )
    table.caption_justify = "left"
    return table
