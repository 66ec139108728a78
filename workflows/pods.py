"""What the pod of every step is like, in a cluster: its image, rights, limits, and what is tried again.

A step is a plain function. Its template runs the same function in a pod, by Hera's runner: parameters and artifacts
are its arguments. Whoever installs this renders it for a cluster of their own: `python -m workflows.render --help`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from hera.workflows import (
    ConfigMapVolume,
    EmptyDirVolume,
    Env,
    Resources,
    RetryStrategy,
    RunnerScriptConstructor,
    Script,
    SecretEnv,
    Task,
    script,
)
from hera.workflows import models as m

from workflows.step import REFUSED

IMAGE = "promoter-workflows:0.1.0"

# The pods' account, to which a cloud's workload identity may be bound, and that of Argo's executor beside the steps.
ACCOUNT = "model-workflows"
EXECUTOR_ACCOUNT = "model-workflows-executor"

# Keys of a bucket, where a cluster has no workload identity. The secret may be missing.
STORE_SECRET = "model-store"  # noqa: S105 - its name
_STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

LABELS = {"app.kubernetes.io/part-of": "promoter", "app.kubernetes.io/managed-by": "hera"}

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def step(
    *,
    cpu: int,
    memory: str,
    minutes: int,
    reads_store: bool = False,
    env: Sequence[Env] = (),
    volumes: Sequence[ConfigMapVolume] = (),
) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """A decorator: the function as it was, and its template wherever Hera puts a workflow together.

    cpu, memory: what its pod gets, and no more. minutes: after which one try of it is ended. reads_store: whether it
    gets what opens the model store. env, volumes: what else it gets.
    """
    # Hera's decorators return a Callable of no types.
    decorator: Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]] = script(
        constructor=_Runner(),
        image=IMAGE,
        command=["python"],
        resources=Resources(cpu_request=cpu, cpu_limit=cpu, memory_request=memory, memory_limit=memory),
        active_deadline_seconds=60 * minutes,
        retry_strategy=RetryStrategy(
            limit=2,
            # The status is -1 where a pod was taken away before it could end by itself.
            expression=f'lastRetry.status == "Error" or asInt(lastRetry.exitCode) != {REFUSED}',
            backoff=m.Backoff(duration="30s", factor=m.IntOrString(root=4), max_duration="30m"),
        ),
        env=[
            # The root file system cannot be written to.
            Env(name="HOME", value="/tmp"),  # noqa: S108 - a volume of the pod
            Env(name="TF_CPP_MIN_LOG_LEVEL", value="2"),
            *(
                SecretEnv(name=key, secret_name=STORE_SECRET, secret_key=key, optional=True)
                for key in (_STORE_KEYS if reads_store else ())
            ),
            *env,
        ],
        volumes=[EmptyDirVolume(name="tmp", mount_path="/tmp", size_limit=m.Quantity(root="20Gi")), *volumes],  # noqa: S108 - as above
        labels=LABELS,
        security_context=m.SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=m.Capabilities(drop=["ALL"]),
        ),
    )
    return decorator


class _Runner(RunnerScriptConstructor):
    """Hera's, with `workflows.step` around it, which sees to the exit status."""

    def transform_values(self, script: Script) -> None:
        super().transform_values(script)
        script.args = ["-m", "workflows.step", *(script.args or [])[2:]]


def as_task(function: Callable[..., Any], *arguments: Any) -> Task:
    """A step as a task of the DAG that is being put together: there, Hera makes one of every call."""
    made: Task = function(arguments=list(arguments))
    return made


def as_template(function: Callable[..., Any]) -> None:
    """A step as a template of the workflow that is being put together."""
    function()


def common() -> dict[str, Any]:
    """What every workflow has: whose rights, what becomes of its pods, and how long it is kept."""
    return {
        "service_account_name": ACCOUNT,
        "automount_service_account_token": False,
        "executor": m.ExecutorConfig(service_account_name=EXECUTOR_ACCOUNT),
        "security_context": m.PodSecurityContext(
            run_as_non_root=True,
            run_as_user=10001,
            run_as_group=10001,
            fs_group=10001,
            seccomp_profile=m.SeccompProfile(type="RuntimeDefault"),
        ),
        "pod_gc": m.PodGC(strategy="OnPodSuccess", delete_delay_duration="10m"),
        "ttl_strategy": m.TTLStrategy(seconds_after_success=7 * 86400, seconds_after_failure=30 * 86400),
        "labels": LABELS,
        "workflow_metadata": m.WorkflowMetadata(labels=LABELS),
    }
