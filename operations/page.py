"""The page a reviewer reads: one file, nothing to fetch, what matters first."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operations.changes import Change, Changes, StackChanges

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; background: #fff; margin: 2.5rem auto; max-width: 62rem;
  padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p { margin: .3rem 0; } .quiet { color: #5b6875; } code { font: 13px/1.45 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .28rem .8rem .28rem 0;
  border-bottom: 1px solid #e3e8ee; vertical-align: top; } th { color: #5b6875; font-weight: 600; }
.Add { color: #17693a; } .Modify { color: #8a5a00; } .Remove, .anew { color: #b3261e; font-weight: 600; }
.wider { border-left: 4px solid #b3261e; background: #fdf3f2; padding: .7rem 1rem; margin: 1.2rem 0; }
.wider code { display: block; overflow-wrap: anywhere; margin: .35rem 0; }
.none { border-left: 4px solid #17693a; background: #f1f8f3; padding: .7rem 1rem; margin: 1.2rem 0; }
"""
COMPARED = (
    "<p class=wider>Templates were compared, no change sets were made: what comes of SSM parameters is not seen."
    " The role that makes change sets comes with this deployment, or may not be taken on from here.</p>"
)
WORDS = {"Add": "added", "Modify": "changed", "Remove": "removed", "Import": "imported"}


def page(changes: Changes, execution: str) -> str:
    """HTML of what would change in an environment."""
    unchanged = [stack.stack for stack in changes.stacks if stack not in changes.changing]
    parts = [
        f"<h1>What would change in {escape(changes.environment)}</h1>",
        f"<p class=quiet>execution {escape(execution)}</p><p>{escape(changes.summary)}</p>",
        COMPARED if changes.compared else "",
        _permissions(changes),
        *map(_stack, changes.changing),
        f"<h2>Unchanged</h2><p class=quiet>{escape(', '.join(unchanged))}</p>" if unchanged else "",
    ]
    title = f"{escape(changes.environment)}: what would change"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _permissions(changes: Changes) -> str:
    if not changes.widened:
        return "<div class=none>No permission is widened.</div>"
    told = "".join(f"<code>{escape(each)}</code>" for each in changes.widened)
    return f"<div class=wider><b>Permissions are widened</b>{told}</div>"


def _stack(stack: StackChanges) -> str:
    rows = "".join(map(_row, stack.changes))
    new = " <span class=Add>(new)</span>" if stack.new else ""
    head = "<tr><th>what<th>resource<th>type<th>because of</tr>"
    return f"<h2>{escape(stack.stack)}{new}</h2><table>{head}{rows}</table>"


def _row(change: Change) -> str:
    anew = {"True": " <span class=anew>made anew</span>", "Conditional": " <span class=anew>perhaps made anew</span>"}
    what = f"<span class={escape(change.action)}>{WORDS.get(change.action, escape(change.action))}</span>"
    because = escape(", ".join(change.because))
    return (
        f"<tr><td>{what}{anew.get(change.replaced, '')}<td>{escape(change.resource)}"
        f"<td class=quiet>{escape(change.kind)}<td>{because}</tr>"
    )
