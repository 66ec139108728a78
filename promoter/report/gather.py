"""What is known of one rollout: from Git what was decided, and from Prometheus what was counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from promoter.control.chronicle import chronicle
from promoter.control.recorded import recorded_rollout
from promoter.decisions.replay import ReplayedInterval, replay
from promoter.documents.policy_file import parse_policy
from promoter.domain.names import ServedModel
from promoter.domain.observation import ClusterTraits
from promoter.domain.past_rollout import Ended, PastRollout
from promoter.domain.policy import RolloutPolicy
from promoter.domain.repository import Revision
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidDocument, InvalidInput, PromoterError
from promoter.ports import Metrics, Repository

# So many are told to somebody who names one that there is not.
_MOST_NAMES = 20

_NOT_ASKED = "Prometheus was not asked, because PROMOTER_PROMETHEUS_URL is not set"
_IN_COMMITS = "Shown is what the commits themselves tell, which is one look for each"


@dataclass(frozen=True, slots=True)
class Gathered:
    """One rollout. policy: the one it began under, None where its file cannot be read. others: earlier rollouts of it.

    intervals: its counts and evidence as Prometheus holds them. missing: what is left out, and why, a sentence each.
    """

    served: ServedModel
    rollout: PastRollout
    policy: RolloutPolicy | None
    intervals: tuple[ReplayedInterval, ...]
    missing: tuple[str, ...]
    others: int
    until: datetime


def gather(
    repository: Repository,
    head: Revision,
    served: ServedModel,
    version: ModelVersion | None,
    metrics: Callable[[], Metrics] | None,
    *,
    traits: ClusterTraits,
    now: datetime,
) -> Gathered:
    """The newest rollout of `version`, or of any. metrics: None where Prometheus is not to be asked.

    Raises InvalidInput where there was no such rollout. What Prometheus cannot tell is left out, and said.
    """
    rollouts = [entry for entry in chronicle(repository, head, served) if isinstance(entry, PastRollout)]
    found = [entry for entry in rollouts if version in (None, entry.version)]
    if not found:
        raise InvalidInput(_no_rollout(served, version, rollouts))
    rollout = found[-1]
    policy = _policy(repository, served, rollout)
    until = rollout.steps[-1].commit.at if rollout.ended is not Ended.UNDER_WAY else now
    missing: list[str] = []
    intervals: tuple[ReplayedInterval, ...] = ()
    if policy is None:
        missing.append(f"{served.policy_path} of that time does not parse, so the counts cannot be judged again")
    elif rollout.stable is not None and rollout.exposed_at is not None and rollout.ended is not Ended.PLACED:
        if metrics is None:
            missing.append(f"{_NOT_ASKED}. {_IN_COMMITS}")
        else:
            try:
                intervals = _intervals(metrics(), served, rollout, policy, until=until, traits=traits)
            except PromoterError as error:
                missing.append(f"Prometheus cannot tell of that time: {error}. {_IN_COMMITS}")
            else:
                if not any(interval.counts.canary.requests for interval in intervals):
                    intervals = ()
                    missing.append(f"Prometheus holds no request to {rollout.version} any more. {_IN_COMMITS}")
    earlier = sum(entry.version == rollout.version for entry in rollouts) - 1
    return Gathered(served, rollout, policy, intervals, tuple(missing), earlier, until)


def _policy(repository: Repository, served: ServedModel, rollout: PastRollout) -> RolloutPolicy | None:
    try:
        content = repository.read(rollout.steps[0].commit.revision, served.policy_path)
        return None if content is None else parse_policy(content, served.policy_path)
    except InvalidDocument:
        return None


def _intervals(
    metrics: Metrics,
    served: ServedModel,
    rollout: PastRollout,
    policy: RolloutPolicy,
    *,
    until: datetime,
    traits: ClusterTraits,
) -> tuple[ReplayedInterval, ...]:
    case = recorded_rollout(
        metrics,
        served,
        policy,
        begin=rollout.began_at,
        end=until,
        traits=traits,
        stable=rollout.stable,
        canary=rollout.version,
    )
    return replay(case, reaction_time=traits.reaction_time, as_recorded=True).intervals


def _no_rollout(served: ServedModel, version: ModelVersion | None, rollouts: Sequence[PastRollout]) -> str:
    if version is None:
        return f"{served} has had no rollout yet"
    known = ", ".join(str(number) for number in dict.fromkeys(entry.version for entry in reversed(rollouts)))
    some = known if len(rollouts) <= _MOST_NAMES else known[:200] + " …"
    return f"{served} has had no rollout of {version}; there were those of {some or 'none'}"
