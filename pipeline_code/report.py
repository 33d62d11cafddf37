"""report.html: one self-contained page that tells a person whether to trust a version, and why."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_code import plots, report_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline_code.evaluation import Evaluation
    from pipeline_code.model import Model

STYLE = Path(__file__).with_suffix(".css")


def render(model: Model, snapshot: Mapping[str, Any], evaluation: Evaluation) -> str:
    """The whole page; it loads nothing, so it reads the same in a browser, in Studio and in ten years."""
    sections = [
        _head(model, snapshot, evaluation),
        _section("How good it is", _compared(evaluation), report_tables.metrics(evaluation)),
        _section("Curves", "", _plots(model, evaluation)),
        _section(
            "Groups",
            f"AUC of each group with its 95% interval, from .4 to 1. Groups under {model.gates.slice_rows:,} rows are "
            f"grey and not gated; the red line is the floor of {model.gates.slice_auc_floor:g} for the others.",
            report_tables.slices(model, evaluation),
        ),
        _section(
            "What it looks at",
            "Share of the loss that each feature's splits removed in training.",
            report_tables.gains(evaluation),
        ),
        _section(
            "How it behaves",
            "One feature is changed on all test rows; the mean score must move as the world would make it.",
            report_tables.behaviours(evaluation),
        ),
        _section("What went in", "", report_tables.data(snapshot)),
        _section("Gates", "", report_tables.gates(evaluation)),
        _section("What these figures do not say", "", _list(model.limits)),
    ]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(model.name)} {escape(snapshot["period"])}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
{chr(10).join(sections)}
<footer>Prepared data <code>{escape(snapshot["sha256"])}</code></footer>
</main>
</body>
</html>
"""


def _head(model: Model, snapshot: Mapping[str, Any], evaluation: Evaluation) -> str:
    properties = snapshot["properties"]
    return (
        f'<header><p class="over">{escape(model.name)} &middot; trained on {properties["train_from"]} to '
        f"{properties['train_to']} &middot; tested on {snapshot['period']}</p>"
        f"<h1>{escape(model.title)}</h1><p>{escape(model.description)}</p>{_verdict(evaluation)}</header>"
    )


def _verdict(evaluation: Evaluation) -> str:
    checks = evaluation.verdict.checks
    refused = [check.message for check in checks if not check.passed]
    if refused:
        title = f"Refused by {len(refused)} of {len(checks)} gates"
        return f'<div class="verdict no"><strong>{title}</strong>{_list(refused)}</div>'
    title = f"Passes all {len(checks)} gates"
    return f'<div class="verdict"><strong>{title}</strong><p>{escape(_summary(evaluation))}</p></div>'


def _summary(evaluation: Evaluation) -> str:
    measured, rival = evaluation.metrics, evaluation.rival
    summary = (
        f"AUC {measured.auc:.3f} and log loss {measured.log_loss:.3f} on {measured.rows:,} rows that no training has "
        f"seen; a constant answer loses {measured.log_loss_constant:.3f}."
    )
    if rival is None:
        return summary
    return f"{summary} The champion reaches {rival.metrics.auc:.3f} and {rival.metrics.log_loss:.3f} on the same rows."


def _compared(evaluation: Evaluation) -> str:
    if evaluation.rival is None:
        return "There is no champion yet: this version is measured against its floors only."
    return (
        "Both models score the same rows. The difference is this version minus the champion, with its 95% interval "
        "over draws of whole days."
    )


def _plots(model: Model, evaluation: Evaluation) -> str:
    drawn = [
        ("ROC", "The diagonal is guessing.", plots.roc(evaluation)),
        ("Precision and recall", "The line is the base rate.", plots.precision_recall(evaluation)),
        ("Calibration", "On the diagonal, said is seen.", plots.calibration(evaluation)),
        ("Scores", "The further apart the two, the better.", plots.distribution(evaluation, model.outcomes)),
    ]
    figures = (
        f"<figure><h3>{title}</h3>{svg}<figcaption>{caption}</figcaption></figure>" for title, caption, svg in drawn
    )
    return f'<div class="plots">{"".join(figures)}</div>'


def _section(title: str, text: str, body: str) -> str:
    introduction = f'<p class="quiet">{escape(text)}</p>' if text else ""
    return f"<section><h2>{title}</h2>{introduction}{body}</section>"


def _list(items: tuple[str, ...] | list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
