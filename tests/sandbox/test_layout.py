"""Folders and ports of one sandbox."""

from pathlib import Path

import pytest

from promoter.errors import InvalidSettings
from promoter.sandbox.cloud_storage.bucket import Bucket
from promoter.sandbox.layout import DEFAULT_PORT_BASE, Layout


def ports(layout):
    return {getattr(layout, f"{part}_port") for part in ("envoy", "envoy_admin", "prometheus", "agent", "storage")}


def test_every_port_has_a_fixed_place_after_the_base():
    layout = Layout.at(Path("/sandbox"), 28100)
    assert (layout.envoy_port, layout.envoy_admin_port) == (28100, 28101)
    assert (layout.prometheus_port, layout.agent_port, layout.storage_port) == (28102, 28103, 28104)


@pytest.mark.parametrize("distance", [10, 20, 100, 630])
def test_two_sandboxes_share_neither_ports_nor_pods(distance):
    one, other = Layout.at(Path("/one"), 28100), Layout.at(Path("/other"), 28100 + distance)
    assert not ports(one) & ports(other)
    assert not one.pod_network.overlaps(other.pod_network)


@pytest.mark.parametrize("base", [1024, 20000, DEFAULT_PORT_BASE, 65526])
def test_pods_live_on_this_machine_and_away_from_the_usual_loopback_addresses(base):
    network = Layout.at(Path("/sandbox"), base).pod_network
    assert network.is_loopback
    assert 64 <= network.network_address.packed[1] <= 127
    assert network.prefixlen == 16


@pytest.mark.parametrize("base", [-1, 0, 80, 1023, 65527, 100000])
def test_a_base_without_room_for_ten_ports_is_refused(base):
    with pytest.raises(InvalidSettings, match=rf"{base} is not a port base: use a whole number from 1024"):
        Layout.at(Path("/sandbox"), base)


@pytest.mark.parametrize("name", ["a b", "50%", "caf\u00e9", "what?", "a#b", "line\nbreak"])
def test_a_folder_that_a_url_spells_otherwise_is_refused(name):
    with pytest.raises(InvalidSettings, match="choose a folder whose path has only letters"):
        Layout.at(Path("/tmp") / name)


def test_the_directory_is_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert Layout.at(Path("build/sandbox")).directory == tmp_path.resolve() / "build" / "sandbox"


def test_urls_and_paths_say_the_same():
    layout = Layout.at(Path("/sandbox"))
    assert layout.model_store_url == f"file://{layout.model_store}"
    assert layout.remote_url == f"file://{layout.remote}"
    assert layout.authority == "resnet50.production"


def test_versions_lie_in_a_folder_or_in_a_bucket_of_somebodys_emulator():
    folder = Layout.at(Path("/sandbox"))
    own = Layout.at(Path("/sandbox"), 28100, Bucket("models"))
    theirs = Layout.at(Path("/sandbox"), 28100, Bucket("models", "http://127.0.0.1:4443"))
    assert (folder.emulator, folder.store_url) == (None, "file:///sandbox/store")
    assert (own.emulator, own.model_store_url) == ("http://127.0.0.1:28104", "gs://models/resnet50")
    assert (theirs.emulator, theirs.store_url) == ("http://127.0.0.1:4443", "gs://models")
