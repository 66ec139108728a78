"""The verbs by which people have their say: each is one commit in the person's own name."""

from __future__ import annotations

import click

from promoter.cli.speaking import Spoken, environment_option, verb_options
from promoter.cli.wiring import tells_errors
from promoter.domain.version import ModelVersion


@click.command()
@click.argument("model")
@environment_option
@verb_options
@tells_errors
def revert(*, model: str, environment: str | None, spoken: Spoken) -> None:
    """Take all requests from MODEL's canary and reject its version.

    One commit in your name to release.yaml: weight 0, and the version into `rejected`, with your name and reason. The
    promoter takes the pods away once that is live, and never offers the version again (`promoter retry` does). No
    approval, no healthy Argo CD and no running promoter is needed for the commit.

    \b
    promoter revert resnet50 --environment production --reason "wrong labels in Norway"
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
    spoken.commit(lambda verbs, head: verbs.revert(head, model, environment))


@click.command()
@click.argument("model")
@environment_option
@verb_options
@tells_errors
def withdraw(*, model: str, environment: str | None, spoken: Spoken) -> None:
    """Take all requests from MODEL's canary, without a word against its version.

    One commit in your name to release.yaml: weight 0. It stays the canary and starts its ramp again by itself, after a
    pause that doubles each time; `promoter pause` keeps it from that.

    \b
    promoter withdraw resnet50 --environment production --reason "the network is being repaired"
    """  # noqa: D301 - as above
    spoken.commit(lambda verbs, head: verbs.withdraw(head, model, environment))


@click.command()
@click.argument("model")
@click.option("--version", required=True, type=click.IntRange(1), help="The rejected version.")
@environment_option
@verb_options
@tells_errors
def retry(*, model: str, version: int, environment: str | None, spoken: Spoken) -> None:
    """Forget that VERSION of MODEL was rejected, so that it is offered again.

    One commit in your name to release.yaml. The version has to pass its preflight anew, and starts at weight 0 like any
    other; where a newer one is complete, that one is offered first.

    \b
    promoter retry resnet50 --environment production --version 43 --reason "the feature store was down, not the model"
    """  # noqa: D301 - as above
    spoken.commit(lambda verbs, head: verbs.retry(head, model, environment, ModelVersion(version)))


@click.command()
@click.argument("model")
@environment_option
@verb_options
@tells_errors
def pause(*, model: str, environment: str | None, spoken: Spoken) -> None:
    """Let nothing start and no weight rise for MODEL, until it is resumed.

    One commit in your name that changes one line of policy.yaml. A canary keeps the weight it has; one that fails is
    still reverted.

    \b
    promoter pause resnet50 --environment production --reason "a campaign until Monday"
    """  # noqa: D301 - as above
    spoken.commit(lambda verbs, head: verbs.pause(head, model, environment))


@click.command()
@click.argument("model")
@environment_option
@verb_options
@tells_errors
def resume(*, model: str, environment: str | None, spoken: Spoken) -> None:
    """Undo `promoter pause`: MODEL's rollouts go on from where they are.

    \b
    promoter resume resnet50 --environment production --reason "the campaign is over"
    """  # noqa: D301 - as above
    spoken.commit(lambda verbs, head: verbs.resume(head, model, environment))
