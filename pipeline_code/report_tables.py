"""The report's tables: plain HTML, numbers aligned, bars drawn with CSS."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline_code.bootstrap import Interval
    from pipeline_code.evaluation import Evaluation
    from pipeline_code.gates import Slice
    from pipeline_code.model import Model

METRICS = {
    "auc": ("AUC", "a random positive scores above a random negative; .5 is guessing"),
    "pr_auc": ("PR AUC", "mean share of right alarms; the base rate is guessing"),
    "log_loss": ("Log loss", "lower is better; punishes confident mistakes"),
    "brier": ("Brier", "mean squared error of the probability; lower is better"),
    "calibration_error": ("Calibration error", "mean distance between said and seen"),
}
AUC_FROM, AUC_TO = 0.4, 1.0


def metrics(evaluation: Evaluation) -> str:
    """This version beside the champion and what the two stand against."""
    measured, rival = evaluation.metrics, evaluation.rival
    intervals: dict[str, Interval] = {}
    if rival:
        intervals = {"auc": rival.difference.auc, "log_loss": rival.difference.log_loss}
    rows: list[list[str]] = []
    for name, (title, meaning) in METRICS.items():
        row = [f"<th>{title}</th>", _number(f"{getattr(measured, name):.4f}", "first")]
        if rival:
            row += [_number(f"{getattr(rival.metrics, name):.4f}", "champion"), _number(_span(intervals.get(name)))]
        rows.append([*row, f'<td class="quiet">{meaning}</td>'])
    blank = [_number(""), _number("")] if rival else []
    constant = [
        _number(f"{measured.log_loss_constant:.4f}"),
        *blank,
        '<td class="quiet">the base rate of training</td>',
    ]
    rows.append(["<th>Log loss of a constant</th>", *constant])
    happened = f'<td class="quiet">of {measured.rows:,} test rows</td>'
    rows.append(["<th>Base rate</th>", _number(f"{measured.base_rate:.4f}"), *blank, happened])
    beside = ["champion", "difference"] if rival else []
    named = f'<p class="quiet">Champion: <code>{escape(rival.version)}</code></p>' if rival else ""
    return f"{_table(['', 'this version', *beside, ''], rows, numbers=1 + len(beside))}{named}"


def slices(model: Model, evaluation: Evaluation) -> str:
    """One table per declared column: rows, base rate beside mean score, AUC with its interval."""
    found = []
    for column in model.slices:
        rows = [
            [
                f"<th>{escape(part.value)}</th>",
                _number(f"{part.rows:,}"),
                _number(f"{part.base_rate:.3f}"),
                _number(f"{part.mean_score:.3f}"),
                _number("" if part.auc is None else f"{part.auc:.3f}"),
                f'<td class="spark{"" if part.gated else " small"}">{_track(part, model.gates.slice_auc_floor)}</td>',
            ]
            for part in evaluation.slices
            if part.column == column
        ]
        found.append(_table([column, "rows", "base rate", "mean score", "AUC", ""], rows, numbers=4))
    return "<br>".join(found)


def gains(evaluation: Evaluation) -> str:
    largest = max(evaluation.gains.values()) or 1.0
    rows = [
        [
            f"<th>{escape(name)}</th>",
            _number(f"{share:.1%}"),
            f'<td class="spark"><div class="bar"><i class="fill" style="width:{share / largest:.1%}"></i></div></td>',
        ]
        for name, share in evaluation.gains.items()
    ]
    return _table(["feature", "share", ""], rows, numbers=1)


def behaviours(evaluation: Evaluation) -> str:
    rows = [
        [
            f"<th>{escape(seen.behaviour.name)}</th>",
            f"<td><code>{escape(seen.behaviour.changed)}</code></td>",
            _number(f"{seen.moved:+.4f}"),
            f"<td>{seen.expected}</td>",
            _mark(passed=seen.passed),
        ]
        for seen in evaluation.behaviours
    ]
    return _table(["", "change", "mean score moves", "expected", ""], rows, numbers=(2,))


def gates(evaluation: Evaluation) -> str:
    rows = [[_mark(passed=check.passed), f"<td>{escape(check.message)}</td>"] for check in evaluation.verdict.checks]
    return f"<details><summary>All {len(rows)} checks</summary>{_table(['', ''], rows)}</details>"


def data(snapshot: Mapping[str, Any]) -> str:
    """Rows by part, what was left out and why, and every file with its version."""
    counts = [(f"rows: {name}", count) for name, count in snapshot["rows"].items()]
    counts += [(f"no label: {reason}", count) for reason, count in snapshot["excluded"].items()]
    counts += [(f"quarantined: {reason}", count) for reason, count in snapshot["quarantined"]["by_reason"].items()]
    if not snapshot["quarantined"]["total"]:
        counts.append(("quarantined", 0))
    counts += [(f"no match: {name}", count) for name, count in snapshot["unmatched"].items()]
    rows = [[f"<th>{escape(name)}</th>", _number(f"{count:,}")] for name, count in counts]
    files = [
        [
            f"<td><code>{escape(file['uri'])}</code></td>",
            _number(f"{file['rows']:,}"),
            f"<td><code>{escape(file['version_id'])}</code></td>",
            f"<td><code>{escape(file['sha256'][:12])}</code></td>",
        ]
        for file in snapshot["files"]
    ]
    listed = _table(["file", "rows", "version", "sha256"], files, numbers=1)
    return f"{_table(['', ''], rows)}<details><summary>{len(files)} files</summary>{listed}</details>"


def _track(part: Slice, floor: float) -> str:
    """Dot, interval and floor on a line from AUC_FROM to AUC_TO."""
    marks = []
    if part.gated:
        marks.append(f'<i class="floor" style="left:{_place(floor):.1f}%"></i>')
    if part.interval:
        left, right = _place(part.interval.lower), _place(part.interval.upper)
        marks.append(f'<i class="span" style="left:{left:.1f}%;width:{right - left:.1f}%"></i>')
    if part.auc is not None and part.auc >= AUC_FROM:
        marks.append(f'<i class="dot" style="left:{_place(part.auc):.1f}%"></i>')
    return f'<div class="bar">{"".join(marks)}</div>'


def _place(auc: float) -> float:
    """Percent of the track's width."""
    return 100 * (min(max(auc, AUC_FROM), AUC_TO) - AUC_FROM) / (AUC_TO - AUC_FROM)


def _span(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{interval.median:+.4f} ({interval.lower:+.4f} to {interval.upper:+.4f})"


def _mark(*, passed: bool) -> str:
    return '<td class="ok">holds</td>' if passed else '<td class="not">refuses</td>'


def _number(text: str, *classes: str) -> str:
    return f'<td class="{" ".join(["number", *classes])}">{text}</td>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int | tuple[int, ...] = 0) -> str:
    """`numbers` are the columns whose heads stand right: how many after the first, or their positions."""
    right = range(1, numbers + 1) if isinstance(numbers, int) else numbers
    cells = (
        f'<th class="number">{escape(head)}</th>' if place in right else f"<th>{escape(head)}</th>"
        for place, head in enumerate(heads)
    )
    head = f"<thead><tr>{''.join(cells)}</tr></thead>" if any(heads) else ""
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'
