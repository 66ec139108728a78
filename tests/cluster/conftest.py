"""A cluster that is given, by KUBECONFIG: a namespace of our own in it, which goes at the end."""

import os
import uuid

import pytest


@pytest.fixture(scope="session")
def api():
    """The official client's dynamic one: it knows custom resources and applies on the server's side."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: no cluster is given")
    from kubernetes import config, dynamic  # noqa: PLC0415 - two seconds, where there is a cluster

    return dynamic.DynamicClient(config.new_client_from_config())


@pytest.fixture(scope="session")
def namespace(api):
    namespaces = api.resources.get(api_version="v1", kind="Namespace")
    name = f"workflows-{uuid.uuid4().hex[:8]}"
    namespaces.create(body={"metadata": {"name": name}})
    yield name
    namespaces.delete(name=name)


@pytest.fixture(scope="session")
def kind(api):
    """A resource of the API, by its kind; skips where the cluster does not have it."""

    from kubernetes.dynamic.exceptions import ResourceNotFoundError  # noqa: PLC0415 - as above

    def found(kind, group="argoproj.io/v1alpha1"):
        try:
            return api.resources.get(api_version=group, kind=kind)
        except ResourceNotFoundError:
            pytest.skip(f"the cluster has no {kind}")

    return found
