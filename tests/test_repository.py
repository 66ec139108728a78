"""What holds of the repository itself, whatever it contains."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from promoter.cli import main

ROOT = Path(__file__).resolve().parent.parent

# What `promoter --help` must not wait for.
HEAVY = (
    "tensorflow",
    "grpc",
    "numpy",
    "matplotlib",
    "pygit2",
    "httpx",
    "requests",
    "pandas",
    "rich",
    "ruamel",
    "psutil",
)

# A folder in somebody's home means something on one machine only.
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:home|Users|root)/[\w.-]+")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|deb\.debian\.org|proxy\.golang\.org|crates\.io|repo1?\.maven"
)


def tracked_files():
    """The project's text files, as Git lists them; without the lock file, which must name its registry."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = {name for name in listed.stdout.decode().split("\0") if name} - {"uv.lock"}
    for name in sorted(names):
        if (ROOT / name).is_file() and b"\0" not in (content := (ROOT / name).read_bytes()):
            yield name, content.decode("utf-8")


def occurrences(pattern, files):
    this = Path(__file__).relative_to(ROOT).as_posix()
    return [f"{name}: {found.group()}" for name, text in files if name != this for found in pattern.finditer(text)]


def test_help_imports_nothing_heavy():
    program = f"""
import sys
from click.testing import CliRunner
from promoter.cli import main
result = CliRunner().invoke(main, ["--help"])
assert result.exit_code == 0, result.output
print(*sorted(set(sys.modules) & set({HEAVY!r})))
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_every_command_that_help_lists_has_help_of_its_own():
    commands = main.list_commands(None)
    assert {"run", "once", "status", "history", "publish", "check", "sandbox"} <= set(commands)
    for command in commands:
        result = CliRunner().invoke(main, [command, "--help"])
        assert result.exit_code == 0, result.output
        assert "Usage:" in result.output


def test_no_file_names_a_registry():
    assert not occurrences(REGISTRY, tracked_files())


def test_no_file_names_a_folder_of_one_machine():
    # Tests may make paths up.
    assert not occurrences(MACHINE_PATH, (file for file in tracked_files() if not file[0].startswith("tests/")))


def test_every_text_file_ends_with_one_newline():
    odd = [name for name, text in tracked_files() if text and (not text.endswith("\n") or text.endswith("\n\n"))]
    assert not odd


def test_decisions_are_numbered_without_gaps_and_listed_in_order():
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")
    assert [name[:5] for name in records] == [f"{number:04d}-" for number in range(1, len(records) + 1)]
    titles = [(folder / name).read_text().splitlines()[0].split(". ", 1)[1] for name in records]
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    assert listed == [(name[:4], name, title) for name, title in zip(records, titles, strict=True)]


@pytest.mark.parametrize("record", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_tells_context_decision_and_consequences(record):
    title, status, *rest = (line for line in record.read_text().splitlines() if line)
    assert title.startswith(f"# {int(record.name[:4])}. ")
    assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d\. Status: \w.*\.", status)
    assert [line for line in rest if line.startswith("## ")] == ["## Context", "## Decision", "## Consequences"]


def test_links_between_documents_lead_somewhere():
    broken = [
        f"{name}: {target}"
        for name, text in tracked_files()
        if name.endswith(".md")
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert not broken


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split())
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make (\S+) +\S", shown.stdout, re.MULTILINE)) == phony
    assert {"help", "demo", "check", "test", "bench", "clean"} <= phony


def test_workflows_pin_every_action_by_commit():
    for workflow in (ROOT / ".github" / "workflows").glob("*.yaml"):
        for used in re.findall(r"uses: (.*)", workflow.read_text()):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), f"{workflow.name}: {used}"


def test_continuous_integration_runs_what_people_run():
    run = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"^make (\w+)", run, re.MULTILINE) == ["check", "test"]
    assert "run: .ci/run" in (ROOT / ".github" / "workflows" / "check.yaml").read_text()
