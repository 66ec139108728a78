"""environments/limits.yaml: what the rollouts of an environment share. People's file; the promoter only reads it.

docs/limits.md describes every key, docs/reference/limits.schema.json says the same to programs.
"""

from __future__ import annotations

from promoter.documents.yaml_schema import Table, refuse, whole_number
from promoter.documents.yaml_text import Block, Value, decode, parse
from promoter.domain.names import checked_name
from promoter.domain.shared_limits import SharedLimits
from promoter.errors import InvalidDocument, InvalidName

_MOST = 10_000


def parse_limits(content: bytes | str, where: str) -> dict[str, SharedLimits]:
    """Limits by environment; a file with nothing but comments states none. Raises InvalidDocument."""
    words = decode(content, where)
    if not any(line.strip() and not line.lstrip().startswith("#") for line in words.splitlines()):
        return {}
    return Table(parse(words, where), ("limits",)).optional("limits", _read_environments, {})


def _read_environments(value: Value) -> dict[str, SharedLimits]:
    if not isinstance(value, Block):
        if not value.is_empty:
            refuse(value, "must be a mapping", "Write an environment's name, and its limits below it")
        return {}
    for name, entry in value.entries.items():
        try:
            checked_name(name, "environment")
        except InvalidName as error:
            raise InvalidDocument(value.where, entry.key.line + 1, f"{value.path}: {error}", "Name one") from error
    return {name: _read_limits(entry.value) for name, entry in value.entries.items()}


def _read_limits(value: Value) -> SharedLimits:
    table = Table(value, ("concurrent_rollouts", "exposure"))
    return SharedLimits(
        concurrent_rollouts=table.optional("concurrent_rollouts", whole_number(1, _MOST), None),
        exposure=table.optional("exposure", whole_number(1, _MOST), None),
    )
