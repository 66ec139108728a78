"""What policies ask of the traffic, for `promoter check`: whether a rollout can end in the time that is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.progress import Progress

from promoter.control.past import SETTLE, stables_past
from promoter.decisions.calibration import UNKNOWN_DISPERSION
from promoter.decisions.counting import request_rate
from promoter.decisions.feasibility import cannot_end, need
from promoter.decisions.windows import expected_duration, too_short
from promoter.domain.duration import format_duration
from promoter.domain.figures import grouped, per_second
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.domain.policy import RolloutPolicy
from promoter.domain.release import Release
from promoter.errors import Unavailable
from promoter.ports import Metrics

# So many models are named where many ask for the same.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Given:
    """What the files of one model say. golden: requests a second that its sender is told to send, None without one."""

    policy: RolloutPolicy
    release: Release
    golden: float | None = None


def asked_of_traffic(models: Mapping[ServedModel, Given]) -> Iterator[str]:
    """A line for all models whose policies ask for the same: the least traffic with which a rollout can end."""
    alike: dict[str, list[ServedModel]] = defaultdict(list)
    for served, given in models.items():
        alike[_least(given.policy)].append(served)
    for asked, those in alike.items():
        named = ", ".join(map(str, those[:_NAMED]))
        more = f" and {len(those) - _NAMED} more" if len(those) > _NAMED else ""
        yield f"{named}{more}: {asked}"


def _least(policy: RolloutPolicy) -> str:
    """The best case: hardly anything fails."""
    found = need(policy, phi=UNKNOWN_DISPERSION, base=0.0, rate=1.0)
    if found.requests is None or found.rate is None:
        return f"no traffic can prove evidence.margin {policy.evidence.margin:g}: widen it"
    given = format_duration(policy.max_step)
    return (
        f"rollouts need {per_second(found.rate)} requests a second or more: {grouped(found.requests)} to the canary "
        f"prove the margin, at max_weight {policy.ramp.max_weight} % within max_step ({given})"
    )


def warn(models: Mapping[ServedModel, Given], url: str) -> None:
    """Ask the Prometheus at `url`, and print what it says against the policies. Raises InvalidSettings.

    One that does not answer is asked no more: thousands of models would wait for it one after another.
    """
    # For those who ask a server.
    from promoter.adapters.prometheus import PrometheusMetrics  # noqa: PLC0415 - as above

    metrics, now = PrometheusMetrics(url), datetime.now(UTC).replace(microsecond=0)
    console, sentences = Console(stderr=True), []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        for served, given in bar.track(list(models.items()), description="asking Prometheus"):
            try:
                barred = _barred(served, given, metrics, now)
            except Unavailable as error:
                sentences.append(f"whether rollouts can end is not known, from {served} on: {error}")
                break
            if barred is not None:
                sentences.append(f"{served.policy_path}: {barred}")
    for sentence in sentences:
        click.echo(f"warning: {sentence}", err=True)


def _barred(served: ServedModel, given: Given, metrics: Metrics, now: datetime) -> str | None:
    """Why the model's rollouts cannot end with the traffic of now; None where they can, or where it has none."""
    stable, traits = given.release.stable, ClusterTraits()
    if stable is None:
        return None
    history, chosen = stables_past(metrics, served, stable.version, given.policy, traits=traits, before=now - SETTLE)
    rate = request_rate(history, traits.scrape_interval)
    barred = cannot_end(given.policy, phi=chosen.phi, base=chosen.base or 0.0, rate=rate)
    if barred is not None or not given.policy.windows:
        return barred
    needed = expected_duration(given.policy, chosen, traits, rate=rate, full=stable.replicas or 1)
    if needed is None:
        return "a rollout is not likely to end within soak and max_step, so no window is long enough for one"
    # Holidays only make windows shorter.
    barred = too_short(given.policy, (), needed, now)
    return barred and f"a rollout is expected to take {format_duration(needed)}, and {barred}"
