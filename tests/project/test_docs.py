"""What the documents name exists, and what a user can set is documented."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest
import typer

from twofold.cli.app import app
from twofold.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    path
    for path in (
        *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "RELIABILITY", "SECURITY")),
        *sorted((ROOT / "docs").glob("*.md")),
    )
    if path.exists()
]
SETTINGS = {f"TWOFOLD_{name.upper()}" for name in Settings.model_fields}


def _code(path: Path) -> str:
    """The shell blocks and inline code of a document, one piece a line."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *spans])


def _commands() -> set[str]:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return set(group.commands)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_make_target_that_a_document_names_exists(path: Path) -> None:
    named = set(re.findall(r"^make ([a-z][a-z-]*)", _code(path), re.MULTILINE))
    shown = subprocess.run(["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert named <= set(re.findall(r"^  make ([a-z-]+)", shown, re.MULTILINE))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_command_that_a_document_names_exists(path: Path) -> None:
    assert set(re.findall(r"^(?:\.venv/bin/)?twofold ([a-z][a-z-]*)", _code(path), re.MULTILINE)) <= _commands()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_setting_that_a_document_names_exists(path: Path) -> None:
    assert set(re.findall(r"TWOFOLD_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))) <= SETTINGS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_each_file_that_a_document_links_to_exists(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_each_test_that_the_page_on_reliability_names_exists() -> None:
    text = (ROOT / "RELIABILITY.md").read_text(encoding="utf-8")
    named: list[tuple[str, str]] = []
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", text):
        named.append((path or named[-1][0], test))
    assert len(named) > 20
    missing = [(path, test) for path, test in named if f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8")]
    assert missing == []


def test_the_page_of_settings_is_the_one_that_make_docs_writes() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "settings_page.py"))["page"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == page


def test_the_page_of_metrics_is_the_one_that_make_docs_writes() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "metrics_page.py"))["page"]()
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == page


def test_the_readme_leads_with_the_two_commands() -> None:
    first = re.search(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert first is not None
    assert re.findall(r"^make \w+", first.group(1), re.MULTILINE) == ["make demo", "make test"]
