"""Periodic retraining: a CronWorkflow that runs the training's WorkflowTemplate.

Its versions go the way of all others: verified, published, a canary, and promoted or reverted by evidence.
"""

from __future__ import annotations

from hera.workflows import CronWorkflow, GCSArtifact
from hera.workflows import models as m

from workflows import train
from workflows.pods import LABELS

NAME = "retrain-resnet50"

# In the artifact repository: an image folder, packed.
IMAGES = "images/resnet50.tgz"


def workflow() -> CronWorkflow:
    """Every Monday before dawn. The images are taken from the cluster's artifact repository."""
    return CronWorkflow(
        name=NAME,
        schedules=["0 3 * * 1"],
        timezone="Etc/UTC",
        # Another one while the last still trains would be verified against the wrong version.
        concurrency_policy="Forbid",
        # A controller that was down when it was due still starts it within this time, and later not any more.
        starting_deadline_seconds=3600,
        successful_jobs_history_limit=3,
        failed_jobs_history_limit=3,
        workflow_template_ref=m.WorkflowTemplateRef(name=train.NAME),
        arguments=[GCSArtifact(name="images", key=IMAGES)],
        labels=LABELS,
        workflow_metadata=m.WorkflowMetadata(labels=LABELS),
    )
