"""Schema drift told apart from bad rows: columns that went, came, were renamed or retyped; categories that are new.

A file whose columns changed is one finding, not a quarantine full of rows: whoever made the file changed it, and the
fix is in one place.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from pipeline_code.model import Source

RETYPED_SHARE = 0.5
"""From this share of values that no longer fit its type on, a column was retyped; below, the rows are bad."""

FILE_ROWS = 20
"""With fewer rows than these, nothing is said of a file as a whole: a bad row or two say nothing of the others."""

SIMILAR = 0.7
"""How alike two names must be to take one for the other, from 0 to 1 (difflib's ratio)."""

SHOWN_CATEGORIES = 5


@dataclass
class Findings:
    """What was found beside bad rows: `problems` stop the run, `drift` is recorded in the snapshot."""

    problems: list[str] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)

    def note(self, kind: str, file: str, column: str, detail: str, **more: Any) -> None:
        """Record drift that does not stop the run."""
        self.drift.append({"kind": kind, "file": file, "column": column, "detail": detail, **more})

    def stop(self, kind: str, file: str, column: str, detail: str) -> None:
        """Record drift that stops the run."""
        self.note(kind, file, column, detail)
        self.problems.append(f"{file}: {detail}")


def column_drift(source: Source, file: str, columns: Sequence[str], findings: Findings) -> None:
    """Columns that are missing, renamed or extra. Extra ones are recorded and left out; the others stop the run."""
    missing = [column.name for column in source.columns if column.name not in columns]
    extra = [name for name in columns if name not in {column.name for column in source.columns}]
    if columns and len(missing) == len(source.columns):
        findings.stop("missing", file, ", ".join(missing), f"none of the columns of {source.name}; is it another file?")
        return
    gone = [name for name in missing if not _renamed(name, file, extra, findings)]
    if gone:
        listed = ", ".join(gone)
        findings.stop("missing", file, listed, f"no column {listed}; it has {', '.join(columns) or 'none'}")
    for name in extra:
        findings.note("extra", file, name, f"column {name} is not in the contract and is left out")


def _renamed(name: str, file: str, extra: list[str], findings: Findings) -> bool:
    """Whether an extra column looks like a missing one under another name; it is taken from `extra` then."""
    alike = difflib.get_close_matches(name.lower(), [other.lower() for other in extra], n=1, cutoff=SIMILAR)
    new = next((other for other in extra if other.lower() in alike), None)
    if new is None:
        return False
    extra.remove(new)
    findings.stop("renamed", file, name, f"no column {name}; was it renamed to {new}? name it {name} again")
    return True


def retyped(column: str, words: str, file: str, rows: pl.DataFrame, findings: Findings) -> bool:
    """Whether a column of a file is of another type now: most of its values fail. `rows`: text, failed, in file order.

    `words` says what a value is not, such as "not a whole number".
    """
    values = rows.filter(rows["text"].is_not_null())
    failed = values.filter(values["failed"])
    if failed.height < max(FILE_ROWS, RETYPED_SHARE * values.height):
        return False
    share, first = failed.height / values.height, failed["text"][0]
    detail = f"{column} is {words} in {share:.0%} of the rows, first {first!r}; was its type changed?"
    findings.stop("retyped", file, column, detail)
    return True


def new_categories(column: str, file: str, values: pl.Series, findings: Findings) -> None:
    """Values outside a closed set of categories, each once with its count; their rows are set aside as bad."""
    counts = values.value_counts(sort=True, name="count")
    for value, count in counts.head(SHOWN_CATEGORIES).iter_rows():
        detail = f"new category {value!r} in {column}: {count:,} rows; declare it in sources.py if it is right"
        findings.note("new category", file, column, detail, value=value, rows=count)
    if counts.height > SHOWN_CATEGORIES:
        more = counts.height - SHOWN_CATEGORIES
        findings.note("new category", file, column, f"{more} more new categories in {column}", rows=more)
