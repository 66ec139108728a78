"""A candidate, compared with what is stable: every check, in the order of what it costs to be wrong.

Nothing is loaded whose graph was not looked through. What was killed, was silent or cannot be read never passes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from promoter.decisions.load_failure import load_failure
from promoter.decisions.signatures import compared
from promoter.documents.golden_file import GOLDEN_FILE, LARGEST_BYTES
from promoter.domain.completeness import ByManifest, Completeness
from promoter.domain.operations import refused
from promoter.domain.preflight import (
    ALWAYS_FATAL,
    Check,
    CheckName,
    Outcome,
    Preflight,
    PreflightPolicy,
    VerifiedVersion,
)
from promoter.errors import BrokenVersion, InvalidInput
from promoter.model_folder import open_unchanged, unreadable
from promoter.preflight import checks
from promoter.preflight.child import Child, Limits
from promoter.preflight.facts import Facts, Unreadable, scanned
from promoter.preflight.golden import Request, golden_requests, made_up
from promoter.preflight.running import RUNNER, NotAnswered, Running
from promoter.preflight.version_files import Fetch, NotSigned, VersionFiles, identified, version_folder
from promoter.saved_model.statuses import ServingError
from promoter.saved_model.warmup import WARMUP_FILE

# Parsing the largest graph that is accepted takes a few seconds and some hundred megabytes.
_SCAN_MEMORY = 2 * 2**30
_SCAN_SECONDS = 30
_SCAN_FILES = 64
_RUN = (CheckName.GOLDEN, CheckName.DRIFT, CheckName.BATCH, CheckName.MEMORY, CheckName.LATENCY, CheckName.WARMUP)

# Called with the name of each check before it is made.
Told = Callable[[CheckName], None]
Signed = Callable[[VersionFiles], int]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a preflight may use. seconds: of time, for all of it. memory: bytes, for each version's process."""

    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class _Looked:
    """A version before it is loaded. facts: None where `problem` says why it must not be."""

    address: str
    files: VersionFiles | None
    facts: Facts | None
    check: Check

    @property
    def verified(self) -> VerifiedVersion:
        return VerifiedVersion(self.address, None if self.files is None else str(self.files.digest))


_BY_MANIFEST = ByManifest()


@dataclass(frozen=True, slots=True)
class Given:
    """What a preflight is given besides versions and a policy.

    fetch: brings a version that is in no folder. golden: None takes the candidate's own file. signed: whether a
    version is signed, how many files of it; raises NotSigned. None asks for no signature. complete: which files are a
    version's.
    """

    fetch: Fetch
    golden: Path | None = None
    signed: Signed | None = None
    complete: Completeness = _BY_MANIFEST


def verify(
    candidate: str, stable: str | None, policy: PreflightPolicy, *, given: Given, budget: Budget, told: Told
) -> Preflight:
    """All checks of `candidate`. stable: None compares with nothing.

    Both are addresses as `version_folder` takes them. The time is counted from when their files are here. Raises
    InvalidInput where one is no version, or golden requests cannot be read, and what `fetch` raises.
    """
    return _Preflight(policy, given, budget, told).run(candidate, stable)


class _NotLoaded(Exception):
    """Why a version is not loaded. details: what TensorFlow said."""

    def __init__(self, reason: str, *details: str) -> None:
        self.details = details
        super().__init__(reason)


class _Preflight:
    """One run; its checks gather in `_checks`."""

    def __init__(self, policy: PreflightPolicy, given: Given, budget: Budget, told: Told) -> None:
        self._policy = policy
        self._given = given
        self._budget = budget
        self._memory = budget.memory
        self._cpu = 1 + round(budget.seconds * (os.cpu_count() or 1))
        self._deadline = 0.0
        self._golden: bytes | None = None
        self._told = told
        self._checks: list[Check] = []
        self._tensorflow: str | None = None

    def run(self, candidate: str, stable: str | None) -> Preflight:
        # A file that cannot be read is not worth the way to the first check.
        self._golden = None if self._given.golden is None else _read(self._given.golden)
        with ExitStack() as open_versions:
            self._told(CheckName.FILES)
            folder = self._opened(open_versions, candidate)
            before_folder = None if stable is None else self._opened(open_versions, stable)
            self._deadline = time.monotonic() + self._budget.seconds
            new = self._looked(candidate, folder)
            old = None if stable is None or before_folder is None else self._stable(stable, before_folder)
            if new.facts is not None:
                self._compare(new.facts, None if old is None else old.facts)
            if new.facts is None or new.files is None:
                self._skip((CheckName.SIGNATURES, CheckName.LOAD, *_RUN), "the version must not be loaded")
            elif old is not None and (old.facts is None or old.files is None):
                self._skip((CheckName.LOAD, *_RUN), "there is nothing to compare it with")
            else:
                self._run(new.files, new.facts, old)
            for looked in filter(None, (new, old)):
                self._unchanged(looked)
        order = list(CheckName)
        found = tuple(sorted(self._checks, key=lambda check: order.index(check.name)))
        return Preflight(new.verified, None if old is None else old.verified, self._tensorflow, found)

    # Before anything is loaded

    def _opened(self, open_versions: ExitStack, address: str) -> Path | BrokenVersion:
        """The folder that a version is in, or what is wrong with its files."""
        try:
            return open_versions.enter_context(version_folder(address, self._given.fetch))
        except BrokenVersion as error:
            return error

    def _looked(self, address: str, folder: Path | BrokenVersion) -> _Looked:
        files = self._files(CheckName.FILES, address, folder)
        if isinstance(files, _Looked):
            self._skip(self._before_loading, "its files are not what they should be")
            return files
        said = (
            "its files are those of its manifest"
            if files.was_published
            else "no manifest says which they are: its digest is that of all of them"
        )
        self._add(Check(CheckName.FILES, Outcome.PASS, said))
        if self._given.signed is not None:
            self._told(CheckName.SIGNED)
            check = _signed(files, self._given.signed)
            self._add(check)
            if check.outcome is Outcome.FAIL:
                self._skip((CheckName.OPERATIONS,), "nobody answers for it")
                return _Looked(address, files, None, check)
        self._told(CheckName.OPERATIONS)
        facts, check = self._scanned(files.folder)
        self._add(check)
        return _Looked(address, files, facts, check)

    def _stable(self, address: str, folder: Path | BrokenVersion) -> _Looked:
        self._told(CheckName.STABLE)
        files = self._files(CheckName.STABLE, address, folder, "the stable version: ")
        if isinstance(files, _Looked):
            return files
        facts, check = self._scanned(files.folder)
        if facts is None:
            self._add(replace(check, name=CheckName.STABLE, reason=f"the stable version: {check.reason}"))
        return _Looked(address, files, facts, check)

    def _files(
        self, name: CheckName, address: str, folder: Path | BrokenVersion, whose: str = ""
    ) -> VersionFiles | _Looked:
        """The version's files; where they are not what they should be, the check of this name fails."""
        try:
            if isinstance(folder, BrokenVersion):
                raise folder
            return identified(folder, self._given.complete)
        except InvalidInput as error:
            failed = Check(name, Outcome.FAIL, f"{whose}{error}")
            self._add(failed)
            return _Looked(address, None, None, failed)

    @property
    def _before_loading(self) -> tuple[CheckName, ...]:
        return (CheckName.OPERATIONS,) if self._given.signed is None else (CheckName.SIGNED, CheckName.OPERATIONS)

    def _scanned(self, folder: Path) -> tuple[Facts | None, Check]:
        deadline = min(self._deadline, time.monotonic() + _SCAN_SECONDS)
        limits = Limits(min(_SCAN_MEMORY, self._memory), deadline, cpu=_SCAN_SECONDS, files=_SCAN_FILES)
        try:
            facts = scanned(folder, limits)
        except Unreadable as error:
            return None, Check(CheckName.OPERATIONS, Outcome.FAIL, str(error))
        wrong = (*refused(facts.uses, self._policy.operations), *facts.findings)
        if wrong:
            return None, Check(CheckName.OPERATIONS, Outcome.FAIL, wrong[0], wrong if len(wrong) > 1 else ())
        kinds = len({use.operation for use in facts.uses})
        reason = f"{facts.nodes} nodes of {kinds} operations, all of them allowed"
        return facts, Check(CheckName.OPERATIONS, Outcome.PASS, reason)

    def _unchanged(self, looked: _Looked) -> None:
        """What was verified must be what the digest names, so the files are looked at again at the end."""
        if looked.files is None:
            return
        try:
            looked.files.check_unchanged()
        except InvalidInput as error:
            self._checks = [check for check in self._checks if check.name is not CheckName.FILES]
            self._add(Check(CheckName.FILES, Outcome.FAIL, f"{looked.address}: {error}"))

    def _compare(self, new: Facts, old: Facts | None) -> None:
        self._told(CheckName.SIGNATURES)
        if old is None:
            self._skip((CheckName.SIGNATURES,), "there is nothing to compare it with")
            return
        changes = compared(old.signatures, new.signatures)
        lines = tuple(change.text for change in changes)
        broken = [change for change in changes if change.breaks]
        if broken:
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            reason = f"stable's callers could not ask it: {broken[0].text[2:]}{more}"
            self._add(Check(CheckName.SIGNATURES, Outcome.FAIL, reason, lines))
        elif changes:
            reason = f"stable's callers can ask it; {changes[0].text[2:]}"
            self._add(Check(CheckName.SIGNATURES, Outcome.PASS, reason, lines))
        else:
            self._add(Check(CheckName.SIGNATURES, Outcome.PASS, "the same as stable's"))

    # Loaded

    def _run(self, files: VersionFiles, facts: Facts, old: _Looked | None) -> None:
        content = self._golden_content(files)
        with ExitStack() as running:
            self._told(CheckName.LOAD)
            stable = None if old is None else self._started_stable(running, old)
            if old is not None and stable is None:
                self._skip((CheckName.LOAD, *_RUN), "there is nothing to compare it with")
                return
            candidate = self._started_candidate(running, files, facts)
            if candidate is not None:
                with self._survived():
                    self._ask(candidate, stable, files, content)

    def _started_stable(self, running: ExitStack, old: _Looked) -> Running | None:
        if old.files is None or old.facts is None:
            return None
        try:
            version, _ = self._started(running, "stable", old.files, old.facts)
        except _NotLoaded as error:
            self._add(Check(CheckName.STABLE, Outcome.FAIL, f"the stable version: {error}", error.details))
            return None
        self._add(Check(CheckName.STABLE, Outcome.PASS, f"{old.address} is what it is compared with"))
        return version

    def _started_candidate(self, running: ExitStack, files: VersionFiles, facts: Facts) -> Running | None:
        try:
            version, seconds = self._started(running, "it", files, facts)
        except _NotLoaded as error:
            self._add(Check(CheckName.LOAD, Outcome.FAIL, str(error), error.details))
            self._skip(_RUN, "it cannot be loaded")
            return None
        reason = f"loaded by TensorFlow {self._tensorflow} in {seconds:.2g} s"
        self._add(Check(CheckName.LOAD, Outcome.PASS, reason, figures={"seconds": seconds}))
        return version

    def _started(self, running: ExitStack, name: str, files: VersionFiles, facts: Facts) -> tuple[Running, float]:
        """The version, loaded, and the seconds that took. Raises _NotLoaded."""
        if facts.missing_variables is not None:
            raise _NotLoaded(f"variables are missing: {facts.missing_variables} is not there")
        child = Child(RUNNER, files.folder, Limits(self._memory, self._deadline, self._cpu))
        version = Running(name, running.enter_context(child), facts.signatures)
        try:
            seconds, self._tensorflow = version.load()
        except NotAnswered as error:
            if error.code is None:
                raise _NotLoaded(error.message) from error
            raise _NotLoaded(load_failure(error.code, error.message), error.message) from error
        return version, seconds

    def _ask(self, candidate: Running, stable: Running | None, files: VersionFiles, content: bytes | None) -> None:
        """Raises NotAnswered where a version dies on the way."""
        requests = self._answers(candidate, stable, content)
        self._told(CheckName.BATCH)
        self._measure(candidate, stable, requests)
        self._told(CheckName.WARMUP)
        self._add(checks.warmup(candidate, is_there=WARMUP_FILE in files.seen))

    def _answers(self, candidate: Running, stable: Running | None, content: bytes | None) -> tuple[Request, ...]:
        """The golden requests, asked and judged; none where there are none that fit."""
        self._told(CheckName.GOLDEN)
        if content is None:
            reason = f"there are no golden requests: no {GOLDEN_FILE}, and none given with --golden"
            self._skip((CheckName.GOLDEN, CheckName.DRIFT), reason)
            return ()
        try:
            requests = golden_requests(content, candidate.signatures, self._golden_name)
        except InvalidInput as error:
            self._add(Check(CheckName.GOLDEN, Outcome.FAIL, str(error)))
            self._skip((CheckName.DRIFT,), "there are no golden requests that fit")
            return ()
        check, answers = checks.golden(candidate, requests)
        self._add(check)
        if stable is None:
            self._skip((CheckName.DRIFT,), "there is nothing to compare it with")
        else:
            self._told(CheckName.DRIFT)
            self._add(checks.drift(stable, requests, answers, self._policy))
        return requests

    def _measure(self, candidate: Running, stable: Running | None, requests: tuple[Request, ...]) -> None:
        measured = (CheckName.BATCH, CheckName.MEMORY, CheckName.LATENCY)
        try:
            request = requests[0] if requests else made_up(candidate.signatures)
        except ServingError as error:
            self._skip(measured, f"no request can be made up: {error.message}")
            return
        check = checks.batch(candidate, request, self._policy.largest_batch, was_made_up=not requests)
        self._add(check)
        if check.outcome is not Outcome.PASS:
            self._skip(measured[1:], "its batches are not answered")
            return
        alike = stable
        if stable is not None and not self._batched(stable, request):
            alike = None
            self._add(Check(CheckName.LATENCY, Outcome.SKIPPED, "stable does not answer the same request"))
        self._told(CheckName.MEMORY)
        self._add(checks.memory(candidate, alike, self._policy))
        if alike is stable:
            self._told(CheckName.LATENCY)
            self._add(checks.latency(candidate, stable, request, self._policy))

    def _batched(self, stable: Running, request: Request) -> bool:
        """Whether stable answers the same batches, so that both have done the same when they are measured."""
        if request.signature not in stable.signatures:
            return False
        signature = stable.signatures[request.signature]
        if not request.inputs.keys() >= signature.inputs.keys() - signature.optional:
            return False
        known = {alias: array for alias, array in request.inputs.items() if alias in signature.inputs}
        check = checks.batch(stable, replace(request, inputs=known), self._policy.largest_batch, was_made_up=True)
        return check.outcome is Outcome.PASS

    @contextmanager
    def _survived(self) -> Iterator[None]:
        """A version that dies in a check fails there, and is asked nothing more."""
        try:
            yield
        except NotAnswered as error:
            made = {check.name for check in self._checks}
            left = [name for name in _RUN if name not in made]
            self._add(Check(left[0], Outcome.FAIL, str(error)))
            self._skip(left[1:], "the process was gone")

    @property
    def _golden_name(self) -> str:
        return GOLDEN_FILE if self._given.golden is None else str(self._given.golden)

    def _golden_content(self, files: VersionFiles) -> bytes | None:
        """The golden requests, None where there are none. Raises InvalidInput where they cannot be read."""
        if self._golden is not None or GOLDEN_FILE not in files.seen:
            return self._golden
        try:
            with open_unchanged(files.folder / GOLDEN_FILE, files.seen[GOLDEN_FILE]) as own:
                return own.read(LARGEST_BYTES + 1)
        except OSError as error:
            raise unreadable(error) from error

    def _add(self, check: Check) -> None:
        if check.outcome is Outcome.FAIL and check.name in self._policy.warn - ALWAYS_FATAL:
            check = replace(check, outcome=Outcome.WARN)
        self._checks.append(check)

    def _skip(self, names: Iterable[CheckName], reason: str) -> None:
        for name in names:
            self._add(Check(name, Outcome.SKIPPED, reason))


def _signed(files: VersionFiles, signed: Signed) -> Check:
    try:
        count = signed(files)
    except NotSigned as error:
        return Check(CheckName.SIGNED, Outcome.FAIL, str(error))
    except OSError as error:
        return Check(CheckName.SIGNED, Outcome.FAIL, f"its signature cannot be read: {error.strerror}")
    return Check(CheckName.SIGNED, Outcome.PASS, f"all of its {count} files are signed with the key that is asked for")


def _read(golden: Path) -> bytes:
    try:
        with golden.open("rb") as given:
            return given.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise unreadable(error) from error
