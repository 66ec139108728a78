"""What a change makes of the manifests of each model: objects that come, go or change, without what is secret."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from promoter.domain.names import ServedModel
from promoter.errors import InvalidInput
from promoter.rendering.checkout import Checkout

_MASK = "(secret)"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object: `Deployment resnet50-v42`. what: "added", "removed" or "changed". lines: a unified difference."""

    name: str
    what: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What becomes of one model. fault: why it can no longer be rendered, None where it can."""

    served: ServedModel
    objects: tuple[ObjectChange, ...]
    fault: str | None = None


def changes(before: Checkout, after: Checkout) -> Iterator[ModelChange]:
    """The models whose manifests differ, or can no longer be rendered; of others nothing is rendered."""
    earlier, later = set(before.models()), set(after.models())
    for served in sorted(earlier | later, key=lambda served: served.folder):
        old, new = (side if served in known else None for side, known in ((before, earlier), (after, later)))
        try:
            if old is not None and new is not None and old.inputs(served) == new.inputs(served):
                continue
            objects = {} if new is None else _objects(new.manifests(served))
        except InvalidInput as error:
            yield ModelChange(served, (), str(error))
            continue
        differing = tuple(_differences(_before(old, served), objects))
        if differing:
            yield ModelChange(served, differing)


def _before(side: Checkout | None, served: ServedModel) -> dict[str, str]:
    """What was there, nothing where it could not be rendered: that it can be now is the news."""
    if side is None:
        return {}
    try:
        return _objects(side.manifests(served))
    except InvalidInput:
        return {}


def masked(manifest: Any) -> Any:
    """A manifest without the content of a Secret."""
    if not isinstance(manifest, dict) or manifest.get("kind") != "Secret":
        return manifest
    return {
        key: dict.fromkeys(value, _MASK) if key in ("data", "stringData") and isinstance(value, dict) else value
        for key, value in manifest.items()
    }


def documents(manifests: Mapping[str, str]) -> list[Any]:
    """The objects of rendered templates, in order. Raises InvalidInput where one is none."""
    try:
        found = [part for text in manifests.values() for part in yaml.load_all(text, Loader=yaml.CSafeLoader) if part]
    except yaml.YAMLError as error:
        raise InvalidInput(f"the chart rendered something that is no YAML: {error}") from error
    if not all(isinstance(part, dict) and isinstance(part.get("metadata"), dict) for part in found):
        raise InvalidInput("the chart rendered something that is no object")
    return [masked(part) for part in found]


def as_yaml(manifest: Any) -> str:
    """An object as people read it: keys in the chart's order."""
    return yaml.dump(manifest, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=1000)


def _objects(manifests: Mapping[str, str]) -> dict[str, str]:
    return {f"{part.get('kind')} {part['metadata'].get('name')}": as_yaml(part) for part in documents(manifests)}


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[ObjectChange]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        what = "added" if old is None else "removed" if new is None else "changed"
        lines = difflib.unified_diff((old or "").splitlines(), (new or "").splitlines(), lineterm="", n=2)
        yield ObjectChange(name, what, tuple(lines)[2:])
