"""The page of a rollout: one file that asks no network for anything. Its links lead to the commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from promoter.documents.evidence_text import RecordedEvidence
from promoter.documents.prose import sentence
from promoter.documents.story import (
    account,
    headline,
    last_evidence,
    record_of,
    recorded_odds,
    span,
    what_a_person_did,
    when,
)
from promoter.domain.duration import format_duration
from promoter.domain.names import ServedModel
from promoter.domain.past_rollout import Ended, PastRollout, Step
from promoter.domain.release import Release
from promoter.pictures.page import page_environment
from promoter.report.curves import curves
from promoter.report.gather import Gathered
from promoter.report.pictures import NARROW, WIDE, picture

_TEMPLATE = "template.html.j2"


@dataclass(frozen=True, slots=True)
class Row:
    """One commit on the page. shares: (version, percent, whether it is the canary). link: None for no page."""

    step: Step
    body: str
    shares: tuple[tuple[str, int, bool], ...]
    evidence: RecordedEvidence | None
    link: str | None


def page(known: Gathered, commit_page: str | None, written_at: datetime) -> str:
    """The page's text. commit_page: the address of a commit's page up to its hash, None for no links."""
    rollout, served = known.rollout, known.served
    shown = curves(known)
    drawn = bool(shown.weights)
    environment = page_environment(Path(__file__).parent)
    environment.filters |= {"when": when, "when_exactly": lambda moment: f"{moment:%H:%M:%S}", "odds": recorded_odds}
    return environment.get_template(_TEMPLATE).render(
        served=served,
        rollout=rollout,
        span=span(rollout),
        headline=sentence(headline(rollout)),
        account=account(rollout, served),
        evidence=last_evidence(rollout, served),
        took=format_duration(rollout.ended_at - rollout.began_at) if rollout.ended_at else None,
        highest=max((weight for _, weight in rollout.weights), default=None),
        colour={Ended.PROMOTED: "good", Ended.REVERTED: "bad", Ended.REFUSED: "bad"}.get(rollout.ended, "plain"),
        # The pictures are our own text, escaped where it is made.
        wide=Markup(picture(shown, WIDE)) if drawn else None,  # noqa: S704 - as above
        narrow=Markup(picture(shown, NARROW)) if drawn else None,  # noqa: S704 - as above
        whole=shown.whole,
        missing=known.missing,
        others=known.others,
        people=[what_a_person_did(step) for step in rollout.of_people],
        rows=[_row(step, rollout, served, commit_page) for step in rollout.steps],
        written_at=written_at,
    )


def _row(step: Step, rollout: PastRollout, served: ServedModel, commit_page: str | None) -> Row:
    record = record_of(step, served)
    return Row(
        step,
        _body(step.commit.message),
        tuple(_shares(step.after, rollout)),
        record.evidence if record else None,
        commit_page + step.commit.revision if commit_page else None,
    )


def _body(message: str) -> str:
    """What the commit says between its subject and its trailers."""
    _, _, rest = message.strip().partition("\n")
    paragraphs = [paragraph.replace("\n", " ").strip() for paragraph in rest.strip().split("\n\n")]
    return " ".join(paragraph for paragraph in paragraphs if paragraph and not paragraph.startswith("Promoter-"))


def _shares(release: Release, rollout: PastRollout) -> list[tuple[str, int, bool]]:
    """Who gets how much from a commit on; versions that get nothing are left out."""
    if release.stable is None:
        return []
    weight = release.canary.weight if release.canary else 0
    shares = [(str(release.stable.version), 100 - weight, release.stable.version == rollout.version)]
    if release.canary is not None:
        shares.append((str(release.canary.version), weight, True))
    return [share for share in shares if share[1]]
