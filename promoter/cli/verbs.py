"""The verbs by which people have their say: each is one commit in the person's own name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from promoter.cli.options import Duration, Moment
from promoter.cli.speaking import Spoken, environment_option, verb_options
from promoter.cli.wiring import tells_errors
from promoter.control.verbs import SKIPPED_IN_FULL
from promoter.domain.version import Digest, ModelVersion
from promoter.errors import InvalidInput


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
    pause that doubles each time; `promoter pause` or `promoter freeze` keeps it from that.

    \b
    promoter withdraw resnet50 --environment production --reason "the network is being repaired"
    """  # noqa: D301 - as above
    spoken.commit(lambda verbs, head: verbs.withdraw(head, model, environment))


@click.command()
@click.argument("model")
@click.option("--full", is_flag=True, help="Skip what is left of the steps, the soak and the proof.")
@environment_option
@verb_options
@tells_errors
def promote(*, model: str, full: bool, environment: str | None, spoken: Spoken) -> None:
    """Agree that MODEL's canary gets all requests; with --full, without the proof that it still lacks.

    One commit in your name to release.yaml. Without --full it is `approved: true` in the canary, for policies with
    `approval.promote: pull-request`: what the merge of the promoter's pull request writes, and the evidence is asked
    for all the same. With --full it is `promote: full`: pods for all requests, weight 100 once they are Ready and live,
    stable after the guard. Skipped are the steps, the soak and the proof of the margin. Not skipped are signs of harm,
    which hold or revert it, fresh samples, Ready pods and the guard; a withdrawal takes your word back. Nothing is
    promoted while it is frozen or paused.

    \b
    promoter promote resnet50 --environment production --reason "looked at the pictures with the team"
    promoter promote resnet50 --full --environment production --reason "the old labels must go before noon"
    """  # noqa: D301 - as above
    if not full:
        spoken.commit(lambda verbs, head: verbs.approve_promotion(head, model, environment))
        return
    spoken.commit(lambda verbs, head: verbs.promote(head, model, environment))
    click.echo(f"skips: {SKIPPED_IN_FULL}. `promoter status` says how far it is.")


@click.command()
@click.argument("model")
@click.option("--version", required=True, type=click.IntRange(1), help="The version that waits.")
@click.option("--digest", metavar="sha256:…", help="Of its files, for an approval: from the pull request or the store.")
@environment_option
@verb_options
@tells_errors
def start(*, model: str, version: int, digest: str | None, environment: str | None, spoken: Spoken) -> None:
    """Agree that VERSION of MODEL starts, or let a withdrawn canary start again without the rest of its pause.

    One commit in your name to release.yaml. Where the policy has `approval.start: pull-request` and no rollout is under
    way it is `approved`, with the version and its digest: what the merge of the promoter's pull request writes. For a
    withdrawn canary it takes `withdrawn` away and no more: the first weight comes with the next pass that sees its pods
    Ready and no sign of harm, and the pause after another withdrawal is longer all the same.

    \b
    promoter start resnet50 --version 43 --digest sha256:04ab… --environment production --reason "looked at its metrics"
    promoter start resnet50 --version 43 --environment production --reason "the network is repaired"
    """  # noqa: D301 - as above
    pinned = Digest(digest) if digest is not None else None
    spoken.commit(lambda verbs, head: verbs.start(head, model, environment, ModelVersion(version), pinned))


@click.command()
@click.argument("model")
@click.option("--to", "version", required=True, type=click.IntRange(1), help="A version that was stable.")
@environment_option
@verb_options
@tells_errors
def rollback(*, model: str, version: int, environment: str | None, spoken: Spoken) -> None:
    """Go back to a version of MODEL that was stable.

    One commit in your name to release.yaml: `start`, with the version and the digest by which it was stable. The
    promoter carries it out in its own commits. Where the version was stable within `rollback_window` of policy.yaml
    (24h without one): pods for all requests first, all requests once they are Ready, stable after the guard; no
    preflight, no analysis, and no freeze, pause or window bars it but for the last of these steps. An older one is
    tried like a new version: preflight, canary, evidence. Either way the version that you leave goes into `rejected`,
    in a commit that cites yours. A canary in flight is reverted first; during its guard that is all it takes.

    \b
    promoter rollback resnet50 --to 42 --environment production --reason "43 crashes on Norwegian addresses"
    """  # noqa: D301 - as above
    spoken.commit(lambda verbs, head: verbs.rollback(head, model, environment, ModelVersion(version)))
    click.echo("`promoter status` says how far it is.")


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
    still reverted. `promoter freeze` does it for an environment or everything, and can end by itself.

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
    """Undo a pause: MODEL's rollouts go on from where they are.

    One commit in your name that takes away whichever stands, or both: `paused: true` in policy.yaml, which `promoter
    pause` wrote, and `paused` in release.yaml, which a `/pause` in a comment on a pull request left.

    \b
    promoter resume resnet50 --environment production --reason "the campaign is over"
    """  # noqa: D301 - as above
    draft = spoken.commit(lambda verbs, head: verbs.resume(head, model, environment))
    if draft is not None:
        click.echo(f"lifted in {' and '.join(sorted(draft.files))}")


@click.command()
@click.argument("model", required=False)
@click.option("--all", "everything", is_flag=True, help="Every model in every environment.")
@click.option("--environment", metavar="NAME", help="Every model of this environment; with MODEL, that one there.")
@click.option("--for", "length", type=Duration(), metavar="DURATION", help="It ends by itself after 2h, 30m, 3d.")
@click.option("--until", type=Moment(), metavar="TIME", help="It ends by itself then: 2026-11-30T08:00:00Z.")
@verb_options
@tells_errors
def freeze(
    *,
    model: str | None,
    everything: bool,
    environment: str | None,
    length: timedelta | None,
    until: datetime | None,
    spoken: Spoken,
) -> None:
    """Let nothing start and nothing rise: everywhere, in an environment, or for MODEL.

    One commit in your name to environments/freeze.yaml. Canaries keep the weight they have, those that fail are still
    reverted, those that nobody can see are still withdrawn. It holds until `promoter unfreeze`, or until its own end.
    A model that is frozen twice is held while either lasts.

    \b
    promoter freeze --all --reason "the gateway drops requests"
    promoter freeze --environment production --until 2026-11-30T08:00:00Z --reason "Black Friday"
    promoter freeze resnet50 --environment production --for 2h --reason "a load test"
    """  # noqa: D301 - as above
    _one_scope(model, environment, everything=everything)
    if length is not None and until is not None:
        raise InvalidInput("--for and --until both say when it ends: give one")
    end = until if length is None else datetime.now(UTC).replace(microsecond=0) + length
    spoken.commit(lambda verbs, head: verbs.freeze(head, model, environment, end))


@click.command()
@click.argument("model", required=False)
@click.option("--all", "everything", is_flag=True, help="The freeze of everything.")
@click.option("--environment", metavar="NAME", help="The freeze of this environment; with MODEL, that one's there.")
@verb_options
@tells_errors
def unfreeze(*, model: str | None, everything: bool, environment: str | None, spoken: Spoken) -> None:
    """Lift a freeze: the one of everything, of an environment, or of MODEL.

    Exactly that one: where an environment and one of its models are frozen, each is lifted by itself. Rollouts go on
    from where they are, by the same rules as before.

    \b
    promoter unfreeze --all --reason "the gateway is repaired"
    """  # noqa: D301 - as above
    _one_scope(model, environment, everything=everything)
    spoken.commit(lambda verbs, head: verbs.unfreeze(head, model, environment))


def _one_scope(model: str | None, environment: str | None, *, everything: bool) -> None:
    """Raises InvalidInput where it is not said once what is meant."""
    if everything == (model is not None or environment is not None):
        raise InvalidInput("say what: --all, --environment NAME, or a model (and nothing besides --all)")
