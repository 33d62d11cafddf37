"""A line knows its room by its import: who may import what, indented imports included; and how big things may get."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacks.config import ROOT

ROOMS = ("commands", "stacks", "pipeline_code", "operations", "rehearsal")
SOURCES = sorted(
    file
    for place in (*ROOMS, "app.py", "cli.py")
    for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
)

# The package on the left may be imported only from the places on the right.
DOORS = {
    "aws_cdk": ("app.py", "stacks/"),
    "constructs": ("stacks/",),
    "polars": ("pipeline_code/", "rehearsal/sample.py"),
    "narwhals": ("pipeline_code/",),
    "xgboost": ("pipeline_code/",),
    "matplotlib": ("pipeline_code/",),
    "numpy": ("pipeline_code/",),
    "onnx": ("pipeline_code/compiled.py",),
    "onnxruntime": ("pipeline_code/compiled.py",),
    "orjson": (
        "pipeline_code/capture.py",
        "pipeline_code/inference.py",
        "pipeline_code/request_cells.py",
        "pipeline_code/request_rows.py",
        "pipeline_code/server.py",
    ),
    "uvicorn": ("pipeline_code/server.py", "pipeline_code/short_way.py"),
    "moto": ("rehearsal/",),
    "werkzeug": ("rehearsal/",),
    "boto3": ("operations/", "rehearsal/", "commands/", "pipeline_code/capture.py"),
    "botocore": ("operations/", "rehearsal/"),
    "subprocess": ("rehearsal/", "commands/", "pipeline_code/trial.py"),
    "rich": ("rehearsal/", "commands/"),
    "typer": ("cli.py", "commands/"),
    "pandas": (),
    "sklearn": (),
    "sagemaker": (),
    "iam_deployed": (),
    "iam_simulator": (),  # AGPL: a tool of the tests alone
    # Our own rooms: imports go one way.
    "app": (),
    "cli": (),
    "commands": ("cli.py", "commands/"),
    "stacks": ("app.py", "cli.py", "commands/", "stacks/"),
    "pipeline_code": ("stacks/", "pipeline_code/"),
    "operations": (
        "commands/",
        "operations/",
        "rehearsal/story.py",
        "rehearsal/act.py",
        "rehearsal/plan.py",
        "rehearsal/release_acts.py",
    ),
    "rehearsal": ("commands/", "rehearsal/"),
}
OFFLINE = (
    "stacks/baseline_names.py",
    "stacks/boundary_documents.py",
    "stacks/budget_settings.py",
    "stacks/capabilities.py",
    "stacks/condition_keys.py",
    "stacks/config.py",
    "stacks/content.py",
    "stacks/delivery_names.py",
    "stacks/delivery_rules.py",
    "stacks/delivery_settings.py",
    "stacks/denials.py",
    "stacks/github_rules.py",
    "stacks/github_settings.py",
    "stacks/guardrail_rules.py",
    "stacks/guardrail_settings.py",
    "stacks/identity_control.py",
    "stacks/instance_types.py",
    "stacks/names.py",
    "stacks/needs.py",
    "stacks/promotion_rules.py",
    "stacks/promotion_settings.py",
    "stacks/released_to.py",
    "stacks/rollout_rules.py",
    "stacks/rollout_settings.py",
    "stacks/resource_control.py",
    "stacks/route.py",
    "stacks/run_settings.py",
    "stacks/schema.py",
    "stacks/service_control.py",
    "stacks/serving_rules.py",
    "stacks/serving_settings.py",
    "stacks/settings.py",
    "stacks/shapes.py",
    "stacks/studio_settings.py",
    "stacks/tenants.py",
)
FUNCTION_LINES, FILE_LINES, MEDIAN_LINES = 50, 300, 10


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_imports_go_through_their_doors(file: Path) -> None:
    closed = [
        module for module in imports(file) if not name(file).startswith(DOORS.get(module.split(".")[0], name(file)))
    ]

    assert closed == []


@pytest.mark.parametrize("file", [ROOT / f for f in OFFLINE], ids=name)
def test_the_cli_reads_configuration_without_cdk(file: Path) -> None:
    assert not [module for module in imports(file) if module.split(".")[0] in {"aws_cdk", "constructs"}]


def test_the_cli_enters_stacks_where_cdk_is_not() -> None:
    files = [ROOT / "cli.py", *(ROOT / "commands").glob("*.py")]
    entered = {module for file in files for module in imports(file) if module.startswith("stacks")}

    assert {f"{module.replace('.', '/')}.py" for module in entered} <= set(OFFLINE)


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_the_process_environment_is_read_at_the_border_only(file: Path) -> None:
    border = (
        "pipeline_code/contract.py",
        "pipeline_code/__main__.py",
        "operations/handlers.py",
        "rehearsal/",
        "commands/",
        "stacks/__init__.py",
    )

    reads = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Attribute) and n.attr == "environ"]

    assert name(file).startswith(border) or not reads


def functions() -> list[tuple[str, int]]:
    return [
        (f"{name(file)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]


def test_functions_and_files_stay_small() -> None:
    sizes = functions()

    assert [(f, n) for f, n in sizes if n > FUNCTION_LINES] == []
    assert [(name(f), n) for f in SOURCES if (n := len(f.read_text().splitlines())) > FILE_LINES] == []
    assert statistics.median(n for _, n in sizes) <= MEDIAN_LINES


def test_nothing_is_called_by_a_name_that_says_nothing() -> None:
    banned = {"utils", "helpers", "common", "manager", "base"}

    assert [name(f) for f in SOURCES if f.stem in banned] == []
