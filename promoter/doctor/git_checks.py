"""The environment repository: can it be read and written, by us alone, and only as it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from promoter.decisions.steps import STEPS
from promoter.doctor.finding import Check, Finding, failure, ok, untold, warning
from promoter.doctor.patient import Patient
from promoter.documents.policy_file import parse_policy
from promoter.documents.release_file import parse_release
from promoter.documents.yaml_text import parse
from promoter.errors import InvalidDocument, InvalidInput, PushRefused

# GitHub, "Repository limits": 3 000 entries in a folder. A commit rewrites the folder: 25 bytes for each sibling.
_WIDE_FOLDER, _TOO_WIDE_FOLDER = 1_000, 3_000
_FORBIDDEN_PATH = "promoter-doctor.txt"


def readable(patient: Patient) -> Iterator[Finding]:
    """The remote answers, and the clone can be kept."""
    settings = patient.settings.git
    head = patient.head
    yield ok(f"{settings.branch} is at {head[:12]}; the clone is {settings.clone}")


def pushable(patient: Patient) -> Iterator[Finding]:
    """The server lets this account begin a push."""
    try:
        patient.repository.rehearse_push(patient.head)
    except PushRefused as error:
        yield failure(str(error), "Give the promoter's account write access to this one repository")
        return
    if patient.settings.commits == "pull-request":
        yield ok(
            f"the server takes pushes from this account, which offers steps on {STEPS}*; whether it may merge them "
            f"into {patient.settings.git.branch} is told by real merges only"
        )
        return
    yield ok("the server takes pushes from this account; rules about branches and files are told by real pushes only")


def rules(patient: Patient) -> Iterator[Finding]:
    """The host refuses what the promoter must not write, even if its token were stolen."""
    branch = patient.scratch_branch
    if branch is None:
        yield untold(
            "whether this account can change more than release.yaml files was not tried",
            f"Cover new branches with the same rule as {patient.settings.git.branch}, and name one: "
            "promoter doctor --try-rules promoter-doctor",
        )
        return
    refusal = patient.repository.try_forbidden_change(patient.head, branch, _FORBIDDEN_PATH, patient.now())
    if refusal is None:
        yield failure(
            f"the host took a commit with {_FORBIDDEN_PATH} on branch {branch} (deleted again): no rule for this "
            "branch keeps this account to release.yaml files",
            "Set the rule for the followed branch and for this one; docs/install.md says how for each host",
        )
    else:
        yield ok(f"the host refused a commit with {_FORBIDDEN_PATH} on {branch}: {refusal}")


def signing(patient: Patient) -> Iterator[Finding]:
    """Commits are signed, and recognised by their signature."""
    if not patient.repository.rehearse_signature():
        yield warning(
            "commits are not signed: whoever writes the promoter's e-mail into a commit is taken for it",
            "Set PROMOTER_SIGNING_KEY and PROMOTER_ALLOWED_SIGNERS",
        )
    elif patient.settings.git.allowed_signers is None:
        yield warning(
            "commits are signed, but not recognised by their signature", "Set PROMOTER_ALLOWED_SIGNERS as well"
        )
    else:
        yield ok("commits are signed, and the signature is among the allowed ones")


def files(patient: Patient) -> Iterator[Finding]:
    """Every model's three files parse."""
    inventory = patient.inventory
    for folder in inventory.misnamed:
        yield failure(f"{folder.folder}: {folder.reason}", "Rename or remove the folder")
    unknown = sorted(set(patient.environments) - {served.environment for served in inventory.models})
    for environment in unknown:
        yield failure(f"there is no model in an environment {environment}", "Name one of environments/")
    faults = 0
    for served in inventory.models:
        for path, read in (
            (served.release_path, parse_release),
            (served.policy_path, parse_policy),
            (served.values_path, parse),
        ):
            try:
                content = patient.repository.read(patient.head, path)
                if content is None:
                    raise InvalidDocument(path, None, "is not there", "Add it, or remove the folder")
                read(content, path)
            except InvalidInput as error:
                faults += 1
                yield failure(str(error), "promoter check tells the same in a checkout, before it is merged")
    if not inventory.models:
        yield warning("there is no model yet", "promoter new-model writes the three files of one")
    elif not faults:
        yield ok(f"the files of {_count(len(inventory.models))} parse")


def widths(patient: Patient) -> Iterator[Finding]:
    """Folders are narrow enough for Git."""
    siblings = Counter(served.folder.rpartition("/")[0] for served in patient.inventory.models)
    widest, width = max(siblings.items(), key=lambda item: item[1], default=("environments", 0))
    remedy = "Put models into groups, environments/<environment>/<group>/<model>, by what changes together"
    if width >= _TOO_WIDE_FOLDER:
        yield failure(f"{widest} has {width} models, more than Git hosts take", remedy)
    elif width >= _WIDE_FOLDER:
        yield warning(f"{widest} has {width} models: every commit rewrites a folder of that size", remedy)
    else:
        yield ok(f"no folder has more than {_count(width)}")


def _count(models: int) -> str:
    return f"{models} model{'' if models == 1 else 's'}"


CHECKS = (
    Check("Git", "repository", readable),
    Check("Git", "push", pushable, ("repository",)),
    Check("Git", "rules", rules, ("repository", "push")),
    Check("Git", "signatures", signing),
    Check("Git", "files", files, ("repository",)),
    Check("Git", "folders", widths, ("repository",)),
)
