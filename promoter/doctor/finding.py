"""What a check finds, and how checks are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from promoter.doctor.patient import Patient
from promoter.errors import PromoterError


class Status(StrEnum):
    """How bad it is. UNTOLD: it could not be looked at from here, or was not asked for."""

    OK = "ok"
    UNTOLD = "untold"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on what is, and one on what to do about it, empty where there is nothing to do."""

    status: Status
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. needs: names of checks without whose success there is nothing to look at."""

    area: str
    name: str
    look: Callable[[Patient], Iterable[Finding]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A check and all that it found, worst first."""

    check: Check
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst of the findings."""
        return self.findings[0].status


_ORDER = list(Status)


def ok(what: str) -> Finding:
    """As it should be."""
    return Finding(Status.OK, what)


def untold(what: str, remedy: str = "") -> Finding:
    """Nobody can tell from here."""
    return Finding(Status.UNTOLD, what, remedy)


def warning(what: str, remedy: str) -> Finding:
    """It works, but not as it should."""
    return Finding(Status.WARNING, what, remedy)


def failure(what: str, remedy: str) -> Finding:
    """It does not work, or must not be so."""
    return Finding(Status.FAILURE, what, remedy)


def examine(checks: Iterable[Check], patient: Patient) -> Iterator[Result]:
    """Look at everything; one check that cannot be carried out stops only those that need it."""
    failed: set[str] = set()
    for check in checks:
        missing = [need for need in check.needs if need in failed]
        findings = [untold(f"not looked at: {missing[0]} comes first")] if missing else _looked(check, patient)
        ordered = tuple(sorted(findings, key=lambda finding: -_ORDER.index(finding.status)))
        result = Result(check, ordered or (ok("nothing to say"),))
        if missing or result.status is Status.FAILURE:
            failed.add(check.name)
        yield result


def _looked(check: Check, patient: Patient) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(check.look(patient))
    except PromoterError as error:
        # Our own errors say what to do themselves.
        findings.append(failure(str(error), ""))
    except Exception as error:  # noqa: BLE001 - an answer that nobody thought of must not end the other checks
        findings.append(failure(f"this check broke: {type(error).__name__}", "Report it: it is a bug of the promoter"))
    return findings
