"""A real Prometheus with samples that are known to the last digit, which also scrapes a page of ours."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LISTENING = re.compile(r'"Listening on" address=(\S+)')


@contextmanager
def real_prometheus(folder: Path, openmetrics: str, scraped: str | None = None) -> Iterator[str]:
    """The server's URL. `openmetrics` is its past, `scraped` the YAML of its `static_configs`, read each second."""
    _require("prometheus")
    _make_blocks(folder, openmetrics)
    (folder / "prometheus.yml").write_text(_configuration(scraped))
    log = folder / "log"
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        "--storage.tsdb.retention.time=100y",
        "--web.listen-address=127.0.0.1:0",
    ]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield _ready(process, log)
        finally:
            process.send_signal(signal.SIGKILL)


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise RuntimeError(f"{program} is not on PATH: `make tools` installs it")


def _make_blocks(folder: Path, openmetrics: str) -> None:
    _require("promtool")
    (folder / "past.txt").write_text(f"{openmetrics.rstrip()}\n# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", folder / "past.txt", folder / "data"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "TMPDIR": str(folder)})


def _configuration(scraped: str | None) -> str:
    if scraped is None:
        return ""
    return (
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: pods, static_configs: {scraped}}}]\n"
    )


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        found = _LISTENING.search(log.read_text())
        if found is not None and _answers(f"http://{found[1]}/-/ready"):
            return f"http://{found[1]}"
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"Prometheus did not start:\n{log.read_text()}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except OSError:
        return False
