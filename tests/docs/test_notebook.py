"""The notebooks run as people run them: every cell, by the kernel of .venv, against the story's embedded AWS."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from operations.champion import current_champion
from rehearsal.release_acts import ReleaseActs, Site
from rehearsal.scenes import PRODUCTION
from rehearsal.story import Rehearsal
from stacks.config import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
PROMOTE = ROOT / "docs/notebooks/promote.ipynb"
CELL_SECONDS = 180


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where Jupyter keeps what it keeps; short, because the names of sockets are limited."""
    with tempfile.TemporaryDirectory() as made:
        for name in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
            monkeypatch.setenv(name, made)
        monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield Path(made)


def executed(notebook: Path, folder: Path, environment: dict[str, str]) -> nbformat.NotebookNode:
    """The notebook with what its cells put out; a cell that fails raises CellExecutionError with its traceback."""
    book: nbformat.NotebookNode = nbformat.read(notebook, as_version=4)
    sockets = {"transport": "ipc", "ip": str(folder / "kernel")}  # no ports, not even on loopback
    client = NotebookClient(
        book,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(notebook.parent)}},
        config=Config({"ConnectionFileMixin": sockets}),
    )
    client.execute(env=environment)
    return book


def text(book: nbformat.NotebookNode, cell: str) -> str:
    """All that one cell put out."""
    (found,) = [one for one in book.cells if one.id == cell]
    return "".join(one.get("text") or one["data"]["text/plain"] for one in found.outputs)


def test_a_version_is_promoted_watched_asked_and_taken_back(rehearsal: Rehearsal, folder: Path) -> None:
    production = next(site for site in rehearsal.plan.sites if site.place.stage == PRODUCTION)
    before = live(rehearsal, production)

    book = executed(PROMOTE, folder, {**rehearsal.environment, "HOME": str(folder), "IPYTHONDIR": str(folder)})

    assert "Staging/PendingApproval" in text(book, "ask")
    assert "release Succeeded; endpoint InService" in text(book, "watch")
    assert "release Succeeded; endpoint InService" in text(book, "production-approve")
    assert "probability" in text(book, "production-invoke")
    assert "succeeded (event)" in text(book, "status")
    assert f"{before} is live again in prod" in text(book, "rollback")
    assert live(rehearsal, production) == before
    champion = current_champion(
        rehearsal.aws.client("s3", rehearsal.plan.account, rehearsal.plan.region), rehearsal.plan.champion
    )
    assert champion == before


def live(rehearsal: Rehearsal, site: Site) -> str:
    acts = ReleaseActs(rehearsal.aws, rehearsal.plan.root, rehearsal.plan.sites, rehearsal.tell)
    return acts.releaser(site).live()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_valid_and_committed_without_what_a_machine_put_out(notebook: Path) -> None:
    book = nbformat.read(notebook, as_version=4)

    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
