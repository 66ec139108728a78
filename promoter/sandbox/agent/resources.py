"""Kubernetes objects as the chart rendered them: values with a key, not yet understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from promoter.errors import InvalidInput


@dataclass(frozen=True, slots=True, order=True)
class ResourceKey:
    """What identifies an object in a cluster."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One object: its key, the version of its API, and its body as parsed YAML."""

    key: ResourceKey
    version: str
    body: Mapping[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The object's `spec`, empty where it has none."""
        return self.body.get("spec") or {}


def parse_resources(text: str, namespace: str) -> tuple[Resource, ...]:
    """The objects of a rendered template; `namespace` is for those that name none. Raises InvalidInput."""
    try:
        documents = [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document is not None]
    except yaml.YAMLError as error:
        raise InvalidInput(f"the chart rendered something that is no YAML: {error}") from error
    return tuple(_resource(document, namespace) for document in documents)


def _resource(body: Any, namespace: str) -> Resource:
    try:
        group, _, version = body["apiVersion"].rpartition("/")
        metadata = body["metadata"]
        key = ResourceKey(group, body["kind"], metadata.get("namespace") or namespace, metadata["name"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the chart rendered an object without apiVersion, kind or name: {body!r:.200}") from error
    return Resource(key, version, body)


@contextmanager
def reading(resource: Resource) -> Iterator[None]:
    """Whatever does not fit while `resource` is read becomes an InvalidInput that names it."""
    try:
        yield
    except KeyError as error:
        raise InvalidInput(f"{resource.key}: field {error} is missing") from error
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise InvalidInput(f"{resource.key}: a field is not of its form: {error}") from error
    except InvalidInput as error:
        raise InvalidInput(f"{resource.key}: {error}") from error
