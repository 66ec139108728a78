"""The preflight of a version, as a workflow that the promoter submits: `promoter verify` in a pod, and its result.

The result is the output parameter `report` of the workflow, whether the verdict is pass or fail.
"""
# No `from __future__ import annotations`: Hera reads the annotations of steps as they are.

from datetime import timedelta
from typing import Annotated

import click
from hera.workflows import Output, Parameter, WorkflowTemplate

from promoter.documents.policy_file import parse_policy
from promoter.documents.preflight_report import preflight_json
from promoter.errors import InvalidInput
from workflows.pods import as_template, common, step
from workflows.step import REFUSED

NAME = "verify-version"

# Its own time and memory, below those of the pod: an end that is told is better than one by the kernel.
_TIME_LIMIT = timedelta(minutes=20)
_MEMORY_LIMIT = 6 * 2**30


class Verified(Output):
    """report: the JSON of `promoter verify --json`. exit_code: 1 where its verdict is fail."""

    report: Annotated[str, Parameter(name="report", global_name="report")]


@step(cpu=2, memory="14Gi", minutes=25, reads_store=True)
def verify(candidate: str, stable: str, policy: str, digest: str) -> Verified:
    """What `promoter verify` finds out about a version.

    candidate, stable: addresses of versions; an empty `stable` compares with nothing. policy: the text of a
    policy.yaml. digest: what the files of the candidate must come to. Raises InvalidInput where there is no verdict.
    """
    from promoter.preflight.verify import Budget  # noqa: PLC0415 - not needed where this is only rendered
    from promoter.preflight.verify import verify as verified  # noqa: PLC0415 - as above

    found = verified(
        candidate,
        stable or None,
        parse_policy(policy.encode(), "policy").preflight,
        golden=None,
        budget=Budget(_TIME_LIMIT.total_seconds(), _MEMORY_LIMIT),
        told=lambda name: click.echo(f"checking {name}", err=True),
    )
    if found.candidate.digest != digest:
        raise InvalidInput(
            f"the files of {candidate} come to {found.candidate.digest}, and {digest} was to be verified"
        )
    return Verified(report=preflight_json(found), exit_code=0 if found.passed else REFUSED)


def template() -> WorkflowTemplate:
    """The WorkflowTemplate from which the promoter makes a workflow for each version."""
    with WorkflowTemplate(
        name=NAME,
        entrypoint="verify",
        arguments=[
            Parameter(name="candidate", description="the version's address, as gs://shop-models/resnet50/43"),
            Parameter(name="stable", value="", description="the address of what is served now; empty for nothing"),
            Parameter(name="policy", description="the text of a policy.yaml"),
            Parameter(name="digest", description="of the candidate's manifest, sha256:…"),
        ],
        active_deadline_seconds=2 * 3600,
        **common(),
    ) as made:
        as_template(verify)
    return made
