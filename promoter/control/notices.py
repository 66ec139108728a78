"""What there is to tell people: from the commits since the last look, and from what a pass found standing still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from promoter.control.past_releases import readable_release
from promoter.control.reconcile import Survey
from promoter.documents.commit_message import read_trailers
from promoter.documents.notice_text import held_notice, notices_of, waiting_notice
from promoter.domain.action import Hold
from promoter.domain.duration import format_duration
from promoter.domain.names import ServedModel
from promoter.domain.notice import Notice
from promoter.domain.past_rollout import Step
from promoter.domain.repository import Revision
from promoter.ports import Repository

# A promoter that was away for longer than so many commits tells of the newest ones only.
_MOST_COMMITS = 200


def notices_since(repository: Repository, since: Revision, head: Revision) -> tuple[Notice, ...]:
    """What the promoter's commits after `since` did, the oldest first; nothing where history was written anew."""
    return tuple(_notices_since(repository, since, head)) if repository.contains(head, since) else ()


def _notices_since(repository: Repository, since: Revision, head: Revision) -> Iterator[Notice]:
    fresh = []
    for commit in repository.log(head, limit=_MOST_COMMITS):
        if commit.revision == since:
            break
        fresh.append(commit)
    for commit in reversed(fresh):
        if not commit.ours or commit.parent is None:
            continue
        for record in read_trailers(commit.message):
            # Where a person's file does not parse nobody knows what changed.
            before = readable_release(repository, commit.parent, record.served.release_path)
            after = readable_release(repository, commit.revision, record.served.release_path)
            if before is not None and after is not None:
                yield from notices_of(Step(commit, before, after), record.served)


def standing_still(survey: Survey, after: timedelta) -> Iterator[Notice]:
    """A notice for each rollout in which nothing has changed for longer than `after`."""
    for verdict in survey.verdicts:
        seen = verdict.seen
        if seen is None or seen.release.canary is None or not isinstance(verdict.action, Hold):
            continue
        if survey.at - seen.changed.at > after:
            version, since = seen.release.canary.version, seen.changed.revision
            yield held_notice(verdict.served, version, since, format_duration(after), verdict.action.reason)


def waiting_for_people(
    survey: Survey, address_of: Callable[[ServedModel], str | None]
) -> Iterator[tuple[Notice, bool]]:
    """A notice for each step that waits for an approval, and whether it has the address of the pull request.

    address_of: the one of a model, None where none is known.
    """
    for verdict in survey.verdicts:
        seen, action = verdict.seen, verdict.action
        if seen is not None and isinstance(action, Hold) and action.asked is not None:
            address = address_of(verdict.served)
            yield waiting_notice(verdict.served, action.asked, seen.changed.revision, address), address is not None
