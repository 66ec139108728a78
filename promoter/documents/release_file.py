"""release.yaml: what an environment serves of one model, as text. The only file the promoter writes.

docs/reference/files.md describes every key. What a release means for a rollout is left to the decisions.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from promoter.documents.one_line import one_line
from promoter.documents.yaml_edit import Leaf, Node, Tree, edited, rendered
from promoter.documents.yaml_schema import Read, Table, boolean, converted, items, moment, refuse, text, whole_number
from promoter.documents.yaml_text import Block, Value, decode, parse
from promoter.domain.release import Canary, Pause, Promotion, Rejection, Release, Stable
from promoter.domain.version import LARGEST_VERSION, Digest, ModelVersion, StoredVersion
from promoter.errors import InvalidDocument, InvalidInput

HEADER = "# Written by the promoter. A person may change it in a pull request; the promoter respects that.\n"

_MOST_REPLICAS = 10_000
_MOST_WITHDRAWALS = 1_000_000
_SILENT = "no reason was given"
_NOBODY = "somebody"

_version = converted(whole_number(1, LARGEST_VERSION), ModelVersion)
_digest = converted(text, Digest)
_replicas = whole_number(1, _MOST_REPLICAS)


def parse_release(content: bytes | str, where: str) -> Release:
    """The release that a release.yaml states. `where` names the file in errors; raises InvalidDocument.

    `release: {}` is a model that has no stable version yet.
    """
    return _release_of(parse(content, where))


def write_release(content: bytes | str, release: Release, where: str) -> str:
    """`content` with as few lines changed as it takes to say `release`; unchanged where it already does.

    Empty `content` gives a new file. Reasons are cut to one printable line and `since` to whole
    seconds; apart from that the result reads back as `release`. Raises InvalidDocument where `content` does not
    parse (a person's broken file is not overwritten) and where `release` is one that no file may state.
    """
    wanted = _as_written(release)
    if not content.strip():
        return _checked(HEADER + _joined({"release": _tree(wanted)}), wanted, where)
    before = decode(content, where)
    root = parse(before, where)
    if _release_of(root) == wanted:
        return before
    tree = {"release": _tree(wanted)}
    if isinstance(root, Block) and not root.flow:
        after = edited(before, root, tree, identity="version")
        if _reads_as(after, wanted, where):
            return after
    # A layout that cannot be edited line by line (one line of braces, `? key`): its comments go to the top.
    comments = [line.strip() + "\n" for line in before.splitlines() if line.lstrip().startswith("#")]
    return _checked("".join(comments) + _joined(tree), wanted, where)


def _release_of(root: Value) -> Release:
    return Table(root, ("release",)).required("release", _read_release)


def _read_release(value: Value) -> Release:
    table = Table(value, ("stable", "canary", "rejected", "approved", "start", "paused"))
    stable = table.optional("stable", _read_stable, None)
    return Release(
        stable=stable,
        canary=table.optional("canary", _canary_beside(stable), None),
        rejected=table.optional("rejected", _read_rejected, ()),
        approved=table.optional("approved", _read_mark, None),
        start=table.optional("start", _read_mark, None),
        paused=table.optional("paused", _read_pause, None),
    )


def _canary_beside(stable: Stable | None) -> Read[Canary | None]:
    def read(value: Value) -> Canary | None:
        canary = _read_canary(value)
        if canary is not None and stable is None:
            refuse(value, "stands beside no stable version", "Move its version and digest to stable")
        if canary is not None and stable is not None and canary.version == stable.version:
            refuse(value, f"has stable's version {canary.version}", "Remove the canary, or name another version")
        return canary

    return read


def _read_stable(value: Value) -> Stable | None:
    if value.is_empty:
        return None
    table = Table(value, ("version", "digest", "replicas"))
    return Stable(
        version=table.required("version", _version),
        digest=table.required("digest", _digest),
        replicas=table.optional("replicas", _replicas, None),
    )


def _read_canary(value: Value) -> Canary | None:
    if value.is_empty:
        return None
    table = Table(
        value,
        ("version", "digest", "weight", "replicas", "since", "withdrawn", "withdrawals", "approved", "promote"),
    )
    return Canary(
        version=table.required("version", _version),
        digest=table.required("digest", _digest),
        weight=table.required("weight", whole_number(0, 100)),
        replicas=table.required("replicas", _replicas),
        since=table.required("since", moment),
        withdrawn=table.optional("withdrawn", text, None),
        withdrawals=table.optional("withdrawals", whole_number(0, _MOST_WITHDRAWALS), 0),
        approved=table.optional("approved", boolean, default=False),
        promote=table.optional("promote", converted(text, _promotion), None),
    )


def _read_mark(value: Value) -> StoredVersion | None:
    if value.is_empty:
        return None
    table = Table(value, ("version", "digest"))
    return StoredVersion(table.required("version", _version), table.required("digest", _digest))


def _read_pause(value: Value) -> Pause | None:
    if value.is_empty:
        return None
    table = Table(value, ("by", "reason", "at", "said"))
    return Pause(
        by=table.required("by", text),
        reason=table.required("reason", text),
        at=table.required("at", moment),
        said=table.optional("said", text, None),
    )


def _promotion(word: str) -> Promotion:
    try:
        return Promotion(word)
    except ValueError as error:
        raise InvalidInput(
            f"{word[:40]!r} is neither `full`, which a person writes to skip the rest of a ramp, nor `back`"
        ) from error


def _read_rejected(value: Value) -> tuple[Rejection, ...]:
    seen: set[ModelVersion] = set()

    def read_one(item: Value) -> Rejection:
        table = Table(item, ("version", "reason"))
        rejection = Rejection(table.required("version", _version), table.required("reason", text))
        if rejection.version in seen:
            refuse(item, f"rejects version {rejection.version} a second time", "Remove one of the two")
        seen.add(rejection.version)
        return rejection

    return items(read_one)(value)


def _as_written(release: Release) -> Release:
    """`release` as a file can state it: reasons on one line, times in UTC and whole seconds."""
    canary = release.canary
    if canary is not None:
        canary = replace(
            canary,
            since=_whole(canary.since),
            withdrawn=None if canary.withdrawn is None else one_line(canary.withdrawn) or _SILENT,
        )
    rejected = tuple(Rejection(entry.version, one_line(entry.reason) or _SILENT) for entry in release.rejected)
    pause = release.paused
    if pause is not None:
        by, why = one_line(pause.by) or _NOBODY, one_line(pause.reason) or _SILENT
        # Half an address leads nowhere.
        said = pause.said if pause.said and one_line(pause.said) == pause.said else None
        pause = Pause(by, why, _whole(pause.at), said)
    return replace(release, canary=canary, rejected=rejected, paused=pause)


def _tree(release: Release) -> Tree:
    """Keys in the order in which a new file has them."""
    tree: dict[str, Node] = {}
    if (pause := release.paused) is not None:
        # Above stable, so that the merge of a pull request that adds a mark below it does not touch these lines.
        said = {} if pause.said is None else {"said": _quoted(pause.said)}
        at = _word(_rfc3339(pause.at))
        tree["paused"] = {"by": _quoted(pause.by), "reason": _quoted(pause.reason), "at": at, **said}
    if (stable := release.stable) is not None:
        floor = {} if stable.replicas is None else {"replicas": _word(stable.replicas)}
        tree["stable"] = {"version": _word(stable.version), "digest": _word(stable.digest), **floor}
    if release.canary is not None:
        tree["canary"] = _canary_tree(release.canary)
    if (approved := release.approved) is not None:
        tree["approved"] = {"version": _word(approved.version), "digest": _word(approved.digest)}
    if (start := release.start) is not None:
        tree["start"] = {"version": _word(start.version), "digest": _word(start.digest)}
    if release.rejected:
        tree["rejected"] = [
            {"version": _word(entry.version), "reason": _quoted(entry.reason)} for entry in release.rejected
        ]
    return tree


def _canary_tree(canary: Canary) -> Tree:
    tree: dict[str, Node] = {
        "version": _word(canary.version),
        "digest": _word(canary.digest),
        "weight": _word(canary.weight),
        "replicas": _word(canary.replicas),
        "since": _word(_rfc3339(canary.since)),
    }
    if canary.withdrawn is not None:
        tree["withdrawn"] = _quoted(canary.withdrawn)
    if canary.withdrawals:
        tree["withdrawals"] = _word(canary.withdrawals)
    if canary.approved:
        tree["approved"] = _word("true")
    if canary.promote is not None:
        tree["promote"] = _word(canary.promote.value)
    return tree


def _word(value: ModelVersion | Digest | int | str) -> Leaf:
    return Leaf(str(value), str(value))


def _quoted(reason: str) -> Leaf:
    # A JSON string is a double-quoted YAML scalar (YAML 1.2, chapter 1.3).
    return Leaf(reason, json.dumps(reason, ensure_ascii=False))


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _joined(tree: Tree) -> str:
    return "".join(line + "\n" for line in rendered(tree))


def _reads_as(content: str, release: Release, where: str) -> bool:
    try:
        return parse_release(content, where) == release
    except InvalidDocument:
        return False


def _checked(content: str, release: Release, where: str) -> str:
    """`content`, which must read back as `release`; raises InvalidDocument where it does not."""
    if parse_release(content, where) != release:
        raise InvalidDocument(
            where, None, "this release cannot be written", "Report it: two parts of the promoter disagree"
        )
    return content
