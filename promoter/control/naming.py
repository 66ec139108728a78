"""Which model, and which environment, a person means."""

from __future__ import annotations

from promoter.domain.freeze import EVERYTHING
from promoter.domain.names import ServedModel
from promoter.domain.repository import Revision
from promoter.errors import InvalidInput
from promoter.ports import Repository


def served_model(repository: Repository, head: Revision, model: str, environment: str | None) -> ServedModel:
    """The model that is meant; an environment need not be named where only one has it. Raises InvalidInput.

    model: its name, or `group/name` where several groups have one.
    """
    models = repository.inventory(head).models
    named = [served for served in models if served.is_called(model)]
    found = [served for served in named if environment in (None, served.environment)]
    if len(found) == 1:
        return found[0]
    if found:
        places = sorted({served.environment for served in found})
        if len(places) == 1:
            groups = " or ".join(sorted(served.name for served in found))
            raise InvalidInput(f"{model} is served by several groups in {places[0]}: say which, as {groups}")
        where = ", ".join(places)
        raise InvalidInput(f"{model} is served in {where}: say which with --environment")
    where = f" in {environment}" if environment else ""
    others = ", ".join(sorted({str(served) for served in named or models})[:20])
    raise InvalidInput(f"there is no model {model}{where}; there is {others or 'none at all'}")


def scope_of(repository: Repository, head: Revision, model: str | None, environment: str | None) -> str:
    """What a freeze of this model, this environment, or (with neither) everything is about. Raises InvalidInput."""
    if model is not None:
        return str(served_model(repository, head, model, environment))
    if environment is None:
        return EVERYTHING
    known = sorted({served.environment for served in repository.inventory(head).models})
    if environment not in known:
        raise InvalidInput(f"there is no environment {environment}; there is {', '.join(known) or 'none at all'}")
    return environment
