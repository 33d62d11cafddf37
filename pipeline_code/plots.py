"""The report's curves as SVG that takes its colours from the page, so that light and dark both read well.

The same evaluation gives the same bytes: ids are salted with a constant, and no date is written.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from pipeline_code import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from pipeline_code.evaluation import Evaluation
    from pipeline_code.metrics import Scores

# Colours that only stand for the page's own; svg() replaces them.
INK, MUTED, LINE, NEW, OLD = "#010101", "#020202", "#030303", "#040404", "#050505"
PALETTE = {INK: "--ink", MUTED: "--muted", LINE: "--line", NEW: "--new", OLD: "--old"}
SIZE = (4.6, 3.5)
POINTS = 240
REFERENCE: dict[str, Any] = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1}
STYLE: Any = {
    "svg.hashsalt": "slipway",
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
}


def roc(evaluation: Evaluation) -> str:
    """How many late flights are found at what price in false alarms."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("false alarms: share of the negatives", "found: share of the positives")
        axes.plot([0, 1], [0, 1], **REFERENCE)
        for color, name, scores in _models(evaluation):
            x, y = metrics.roc_curve(evaluation.labels, scores)
            grid = np.linspace(0, 1, POINTS)
            axes.plot(grid, np.interp(grid, x, y), color=color, label=name)
        _square(axes)
        axes.legend(loc="lower right")
        return svg(figure, "roc")


def precision_recall(evaluation: Evaluation) -> str:
    """How often an alarm is right, against how many of the positives are found."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("found: share of the positives", "right: share of the alarms")
        axes.axhline(evaluation.metrics.base_rate, **REFERENCE)
        for color, name, scores in _models(evaluation):
            recall, precision = metrics.precision_recall_curve(evaluation.labels, scores)
            # The first alarms are few, and their precision jumps; a hundredth of the positives is where it settles.
            grid = np.linspace(0.01, 1, POINTS)
            axes.plot(grid, np.interp(grid, recall, precision), color=color, label=name)
        _square(axes)
        axes.legend(loc="upper right")
        return svg(figure, "precision-recall")


def calibration(evaluation: Evaluation) -> str:
    """What was said against what happened, in ten groups of equally many rows."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("predicted probability, mean of a tenth", "share that happened")
        largest = 0.0
        for color, name, scores in _models(evaluation):
            bins = metrics.calibration(evaluation.labels, scores)
            x, y = [b.predicted for b in bins], [b.observed for b in bins]
            largest = max(largest, *x, *y)
            axes.plot(x, y, color=color, marker="o", markersize=4, label=name)
        limit = min(1.0, largest * 1.08)
        axes.plot([0, limit], [0, limit], **REFERENCE)
        axes.set(xlim=(0, limit), ylim=(0, limit))
        axes.legend(loc="upper left")
        return svg(figure, "calibration")


def distribution(evaluation: Evaluation, outcomes: tuple[str, str]) -> str:
    """Where the scores of each class lie; `outcomes` are the words for labels 0 and 1."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes("predicted probability", "share of the class per bin")
        edges = np.linspace(0, 1, 41)
        for label, color, name in ((0, MUTED, outcomes[0]), (1, NEW, outcomes[1])):
            scores = evaluation.scores[evaluation.labels == label]
            shares = np.histogram(scores, edges)[0] / len(scores)
            axes.stairs(shares, edges, color=color, fill=True, alpha=0.22)
            axes.stairs(shares, edges, color=color, linewidth=1.4, label=name)
        axes.set(xlim=(0, 1), ylim=(0, None))
        axes.legend(loc="upper right")
        return svg(figure, "distribution")


def svg(figure: Figure, name: str) -> str:
    """The figure as an element to put into a page; `name` keeps its ids apart from those of other figures."""
    written = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": f"slipway {name}"}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = written.getvalue()
    drawn = drawn[drawn.index("<svg") :].rstrip()
    drawn = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 role="img">', drawn, count=1)
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    # Names such as figure_1 and axes_1 would repeat from figure to figure.
    drawn = re.sub(r'<g id="[a-zA-Z0-9._]+_[0-9]+"(/?)>', r"<g\1>", drawn)
    drawn = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", drawn)
    for color, variable in PALETTE.items():
        drawn = drawn.replace(color, f"var({variable})")
    return drawn


def _models(evaluation: Evaluation) -> Sequence[tuple[str, str, Scores]]:
    """Champion first, so that the new version is drawn over it."""
    new = (NEW, "this version", evaluation.scores)
    return [(OLD, "champion", evaluation.rival.scores), new] if evaluation.rival else [new]


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes: Any = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.tick_params(length=0)
    return figure, axes


def _square(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
