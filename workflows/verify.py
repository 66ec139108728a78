"""The preflight of a version, as a workflow that the promoter submits: `promoter verify` in a pod, and its result.

The result is the output parameter `report` of the workflow, whether the verdict is pass or fail.
"""
# No `from __future__ import annotations`: Hera reads the annotations of steps as they are.

import os
from pathlib import Path
from typing import Annotated

import click
from hera.workflows import ConfigMapVolume, Env, Output, Parameter, WorkflowTemplate

from promoter.documents.preflight_report import preflight_json
from promoter.errors import InvalidInput
from workflows.pods import as_template, common, step
from workflows.preflight import preflight
from workflows.step import REFUSED

NAME = "verify-version"
MODEL_PUBLIC_KEY = "PROMOTER_MODEL_PUBLIC_KEY"

# Where pods find the key that versions have to be signed with, if there is such a ConfigMap: `key.pem` in it.
KEY_CONFIG = "model-public-key"
_KEY_FOLDER = "/etc/promoter"


class Verified(Output):
    """report: the JSON of `promoter verify --json`. exit_code: 1 where its verdict is fail."""

    report: Annotated[str, Parameter(name="report", global_name="report")]


@step(
    cpu=2,
    memory="14Gi",
    minutes=25,
    reads_store=True,
    env=[Env(name=MODEL_PUBLIC_KEY, value=f"{_KEY_FOLDER}/key.pem")],
    volumes=[ConfigMapVolume(name=KEY_CONFIG, mount_path=_KEY_FOLDER, optional=True)],
)
def verify(candidate: str, stable: str, policy: str, digest: str) -> Verified:
    """What `promoter verify` finds out about a version.

    candidate, stable: addresses of versions; an empty `stable` compares with nothing. policy: the text of a
    policy.yaml. digest: what the files of the candidate must come to. Raises InvalidInput where there is no verdict.
    """
    key = Path(os.environ.get(MODEL_PUBLIC_KEY, ""))
    found = preflight(candidate, stable or None, policy, public_key=key if key.is_file() else None, told=_told)
    if found.candidate.digest != digest:
        raise InvalidInput(
            f"the files of {candidate} come to {found.candidate.digest}, and {digest} was to be verified"
        )
    return Verified(report=preflight_json(found), exit_code=0 if found.passed else REFUSED)


def _told(line: str) -> None:
    click.echo(line, err=True)


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
