"""`python -m pipeline_code.check_files --model M --period P FILE...`: the data contract on files not yet uploaded.

The engine is the job's own; run it with the job image's packages and it finds what the job would find.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_code.contract import ContractError
from pipeline_code.models import load_model
from pipeline_code.periods import PERIOD, SourceFile, in_order, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline_code.data import Checked
    from pipeline_code.model import Model

SHOWN_ROWS = 5


def main(arguments: list[str]) -> int:
    """0 if a run would take the files, 1 if it would stop, 2 if the question makes no sense."""
    parser = argparse.ArgumentParser(prog="check_files")
    parser.add_argument("--model", required=True)
    parser.add_argument("--period", required=True)
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    try:
        lines, passed = report(load_model(given.model), given.period, given.files)
    except ContractError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if passed else 1


def report(model: Model, period: str, paths: Sequence[Path]) -> tuple[list[str], bool]:
    """What is fine, what is bad and why, in lines for people; and whether a run would take the files."""
    from pipeline_code.data import examine

    if not PERIOD.fullmatch(period):
        raise ContractError(f"period {period!r} is not a month; give it as YYYY-MM, such as 2013-04")
    files, problems = _files(model, period, paths)
    checked, found = examine(model, files)
    problems += found
    lines = [line for name, source in checked.items() for line in _source(name, source)]
    lines += [f"not checked: {line}" for line in _unchecked(model, checked)]
    lines += [f"stops the run: {problem}" for problem in problems]
    return [*lines, "a run would stop" if problems else "a run would take these files"], not problems


def _files(model: Model, period: str, paths: Sequence[Path]) -> tuple[list[SourceFile], list[str]]:
    files, problems = [], []
    for path in sorted(paths, key=lambda path: in_order(path.name)):
        source = source_of(path.name, model.sources)
        if source is None:
            known = ", ".join(f"{one.name}.csv" for one in model.sources)
            problems.append(f"{path}: of no source; name it as one of {known} (or -1, -2 ... and .parquet)")
        elif not path.is_file():
            problems.append(f"{path}: no such file")
        else:
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            files.append(SourceFile(source, period, path, sha256, path.stat().st_size, ""))
    return files, problems


def _source(name: str, checked: Checked) -> Iterator[str]:
    bad = checked.bad.height
    good = sum(checked.rows.values()) - bad
    yield f"{name}: {good:,} rows are fine" + (f", {bad:,} are bad" if bad else "")
    yield from (f"  bad: {reason}: {count:,}" for reason, count in checked.reasons.items())
    for row in checked.bad.head(SHOWN_ROWS).iter_rows(named=True):
        yield f"    {row['file']} row {row['row']}: {row['reason']}"
    yield from (f"  {what}: {count:,}" for what, count in checked.unmatched.items() if count)
    yield from (f"  drift: {finding['file']}: {finding['detail']}" for finding in checked.drift)


def _unchecked(model: Model, checked: dict[str, Checked]) -> Iterator[str]:
    """References into sources whose files were not given."""
    for name in checked:
        for reference in model.source(name).references:
            if reference.source not in checked:
                yield f"{name}.{reference.column} against {reference.source}; give its file too"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
