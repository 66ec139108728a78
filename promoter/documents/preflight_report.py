"""A preflight as JSON for programs, and as a Markdown or an HTML page for people.

Names, messages and addresses come from the version that was looked at: each is made one printable line, and escaped.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from promoter.documents.one_line import one_line
from promoter.domain.preflight import Check, Outcome, Preflight, VerifiedVersion

_LONGEST = 600
_MARKS = {Outcome.PASS: "✓", Outcome.WARN: "!", Outcome.FAIL: "✗", Outcome.SKIPPED: "–"}
_MARKDOWN_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1c1c1c; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #ddd }
pre { white-space: pre-wrap; margin: .3rem 0 0; font-size: .85rem }
code { overflow-wrap: anywhere }
.pass { color: #17662c } .warn { color: #7a5200 } .fail { color: #a11616; font-weight: 600 } .skipped { color: #595959 }
"""


def verdict(preflight: Preflight) -> str:
    """`pass` or `fail`."""
    return "pass" if preflight.passed else "fail"


def preflight_json(preflight: Preflight) -> str:
    """One JSON object. Figures that are not finite are null."""
    found = {
        "verdict": verdict(preflight),
        "candidate": _version(preflight.candidate),
        "stable": None if preflight.stable is None else _version(preflight.stable),
        "tensorflow": preflight.tensorflow,
        "checks": [_check(check) for check in preflight.checks],
    }
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def preflight_text(preflight: Preflight) -> str:
    """Lines for a terminal, the verdict last."""
    lines = []
    for check in preflight.checks:
        lines.append(f"{_MARKS[check.outcome]} {check.name:<11}{_line(check.reason)}")
        lines.extend(f"{'':13}{_line(detail)}" for detail in check.details)
    lines.append(
        f"{verdict(preflight)}: {_line(preflight.candidate.address)} {preflight.candidate.digest or ''}".rstrip()
    )
    return "\n".join(lines) + "\n"


def preflight_markdown(preflight: Preflight) -> str:
    """A page in GitHub's Markdown."""
    lines = [
        f"# Preflight: {verdict(preflight)}",
        "",
        *(f"- {name}: {value}" for name, value in _facts(preflight, _plain)),
    ]
    lines += ["", "| check | outcome | reason |", "|---|---|---|"]
    lines += [
        f"| {check.name} | {_MARKS[check.outcome]} {check.outcome} | {_plain(check.reason)} |"
        for check in preflight.checks
    ]
    for check in preflight.checks:
        if check.details or check.figures:
            lines += ["", f"## {check.name}", ""]
            lines += [f"- {_plain(detail)}" for detail in check.details]
            lines += [f"- {_plain(name)}: {_figure(value)}" for name, value in check.figures.items()]
    return "\n".join(lines) + "\n"


def preflight_html(preflight: Preflight) -> str:
    """A page of its own: no script, and nothing from elsewhere."""
    title = f"Preflight: {verdict(preflight)}"
    facts = "\n".join(f"<li>{escape(name)}: <code>{value}</code></li>" for name, value in _facts(preflight, _escaped))
    rows = "\n".join(_row(check) for check in preflight.checks)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1 class="{verdict(preflight)}">{title}</h1>
<ul>
{facts}
</ul>
<table>
<thead><tr><th scope="col">check</th><th scope="col">outcome</th><th scope="col">reason</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(check: Check) -> str:
    lines = [*map(_line, check.details), *(f"{name}: {_figure(value)}" for name, value in check.figures.items())]
    more = f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else ""
    outcome = f'<td class="{check.outcome}">{_MARKS[check.outcome]} {check.outcome}</td>'
    return f'<tr><th scope="row">{check.name}</th>{outcome}<td>{_escaped(check.reason)}{more}</td></tr>'


def _facts(preflight: Preflight, written: Any) -> Iterable[tuple[str, str]]:
    yield "candidate", written(f"{preflight.candidate.address} {preflight.candidate.digest or ''}".rstrip())
    if preflight.stable is not None:
        yield "stable", written(f"{preflight.stable.address} {preflight.stable.digest or ''}".rstrip())
    if preflight.tensorflow is not None:
        yield "TensorFlow", written(preflight.tensorflow)


def _version(version: VerifiedVersion) -> dict[str, str | None]:
    return {"address": _line(version.address), "digest": version.digest}


def _check(check: Check) -> dict[str, Any]:
    found: dict[str, Any] = {"name": check.name.value, "outcome": check.outcome.value, "reason": _line(check.reason)}
    if check.details:
        found["details"] = [_line(detail) for detail in check.details]
    if check.figures:
        found["figures"] = {
            name: None if value is None or not math.isfinite(value) else value for name, value in check.figures.items()
        }
    return found


def _figure(value: float | None) -> str:
    return (
        "–" if value is None or not math.isfinite(value) else f"{value:.6g}" if isinstance(value, float) else str(value)
    )


def _line(text: str) -> str:
    return one_line(text, _LONGEST)


def _escaped(text: str) -> str:
    return escape(_line(text))


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKDOWN_MEANS_SOMETHING.sub(r"\\\1", _line(text))
