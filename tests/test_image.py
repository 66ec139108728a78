"""What Dockerfile would put into the promoter's image, by the lock file and the packages that are installed here.

There is no container engine in the tests. The image's base is not measured, and the release workflow adds up the real
layers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import apprise
import boto3
import botocore
import pygments
import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[1]
DOCKERFILE = (PROJECT / "Dockerfile").read_text(encoding="utf-8")

# Of the 200 MB that the image may have, so much is left by the base, python:3.13-slim-trixie, unpacked.
MOST = 80e6


_LEFT_OUT = (
    r"(apprise/i18n/\w+|apprise/assets|icalendar/tests|recurring_ical_events/test)/.*"
    r"|pygments/(lexers|styles)/[a-z]\w*\.py"
)


def stage(name):
    """The lines of one stage of the Dockerfile."""
    (found,) = re.findall(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture(scope="module")
def packages():
    """The locked packages of the promoter's stage, on this platform."""
    extras = re.findall(r"--extra (\w+)", stage("build-promoter").partition("&&")[0])
    wanted = [argument for extra in extras for argument in ("--extra", extra)]
    exported = subprocess.run(
        ["uv", "export", "--locked", "--offline", "--no-dev", "--no-hashes", "--no-emit-project", *wanted],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [Requirement(line) for line in exported.stdout.splitlines() if line and line.lstrip()[0] != "#"]
    return [distribution(line.name) for line in lines if line.marker is None or line.marker.evaluate()]


def kept_services():
    """The services of botocore that the Dockerfile leaves in."""
    return set(re.findall(r"! -name ([-\w]+)", stage("build-promoter")))


def is_left_out(path):
    """Whether the Dockerfile takes this file of a package away again."""
    if service := re.fullmatch(r"botocore/data/([-\w]+)/.*", path):
        return service[1] not in kept_services()
    return path.endswith(".pyc") or re.fullmatch(_LEFT_OUT, path) is not None


def test_the_promoters_layer_leaves_room_for_its_base(packages):
    lines = stage("build-promoter")
    assert "apprise/i18n -mindepth 1 -maxdepth 1 -type d -exec rm -r" in lines
    assert "pygments/lexers -name '[a-z]*.py' -delete" in lines
    assert "pygments/styles -name '[a-z]*.py' -delete" in lines
    assert all(f"/{name}" in lines for name in ("apprise/assets", "icalendar/tests", "recurring_ical_events/test"))
    total = sum(
        file.locate().stat().st_size
        for package in packages
        for file in package.files or ()
        if not is_left_out(file.as_posix())
    )
    own = sum(
        path.stat().st_size for path in (PROJECT / "promoter").rglob("*") if path.suffix != ".pyc" and path.is_file()
    )
    assert 50e6 < total + own < MOST, total + own


def test_nothing_of_tensorflow_is_in_the_promoters_image(packages):
    modules = packages_distributions()
    heavy = {
        name for module in ("tensorflow", "numpy", "grpc", "matplotlib", "pandas") for name in modules.get(module, ())
    }
    assert heavy
    assert not heavy & {package.name for package in packages}


def test_the_services_that_are_left_are_enough_for_stores(tmp_path):
    library = Path(botocore.__file__).parent
    skip = {path.name for path in (library / "data").iterdir() if path.is_dir()} - kept_services()
    shutil.copytree(library, tmp_path / "botocore", ignore=lambda _, names: skip.intersection(names) | {"__pycache__"})
    asked = "; ".join(f"boto3.client('{name}', region_name='eu-central-1')" for name in ("s3", "sts", "sso"))
    program = f"import boto3, botocore; assert botocore.__file__.startswith('{tmp_path}'), botocore.__file__; {asked}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "botocore" / "data" / "ec2").exists()
    assert Path(boto3.__file__).exists()


def test_tables_and_messages_need_nothing_of_what_is_left_out(tmp_path):
    for library in (Path(apprise.__file__).parent, Path(pygments.__file__).parent):
        for file in library.rglob("*"):
            path = file.relative_to(library.parent)
            if file.is_file() and not is_left_out(path.as_posix()):
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, tmp_path / path)
    program = (
        "import apprise, pygments, rich.console, rich.table, rich.text, rich.progress, rich.live\n"
        f"assert apprise.__file__.startswith('{tmp_path}') and pygments.__file__.startswith('{tmp_path}')\n"
        "table = rich.table.Table('a'); table.add_row(rich.text.Text('b')); rich.console.Console().print(table)\n"
        "target = apprise.Apprise(); assert target.add('json://127.0.0.1:9')\n"
        "assert not target.notify(body='x', title='y')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "de_DE.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "apprise" / "i18n" / "de").exists()


def test_images_run_as_the_charts_user():
    chart = (PROJECT / "charts" / "promoter" / "values.yaml").read_text(encoding="utf-8")
    (uid,) = re.findall(r"runAsUser: (\d+)", chart)
    assert f"USER {uid}:{uid}\n" in stage("run")


def test_nothing_but_what_is_named_is_sent_to_the_builder():
    ignored = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    named = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    assert "*" in ignored
    assert named == copied
