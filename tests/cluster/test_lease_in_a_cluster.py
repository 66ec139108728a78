"""One of two promoters leads, on a real API server, as a ServiceAccount that may do what charts/promoter grants."""

from __future__ import annotations

import copy
import time
from datetime import timedelta

import pytest

pytestmark = pytest.mark.cluster

from charts.promoter_rendering import render, situation

from promoter.adapters.lease import LeaseLeadership, LeaseSettings

BRISK = {"duration": timedelta(seconds=3), "renew_within": timedelta(seconds=2), "every": timedelta(milliseconds=200)}


@pytest.fixture(scope="module")
def account(api, namespace, tmp_path_factory):
    """The token and authorities of the chart's ServiceAccount, with the chart's own Role."""
    folder = tmp_path_factory.mktemp("account")
    rendered = render(situation("https"))
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        made = copy.deepcopy(rendered[kind])
        for subject in made.get("subjects", ()):
            subject["namespace"] = namespace
        api.resources.get(api_version=made["apiVersion"], kind=kind).create(body=made, namespace=namespace)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    accounts = api.resources.get(api_version="v1", kind="ServiceAccount")
    answer = accounts.subresources["token"].create(name="promoter", namespace=namespace, body=asked)
    (folder / "token").write_text(answer.status.token, encoding="utf-8")
    return folder / "token"


@pytest.fixture
def promoter(api, namespace, account):
    """Makes promoters that strive for one Lease, by their names."""
    configured = api.client.configuration

    def make(name, lease="promoter"):
        authorities = None if configured.ssl_ca_cert is None else account.with_name("ca.crt")
        if authorities is not None:
            with open(configured.ssl_ca_cert, encoding="utf-8") as file:  # noqa: PTH123 - a name that may be bytes
                authorities.write_text(file.read(), encoding="utf-8")
        settings = LeaseSettings(configured.host, namespace, lease, name, account, authorities)
        return LeaseLeadership(settings, **BRISK)

    return make


def eventually(holds, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_one_leads_and_the_other_takes_over_at_once_where_it_ends(api, namespace, promoter):
    leases = api.resources.get(api_version="coordination.k8s.io/v1", kind="Lease")
    first, second = promoter("first"), promoter("second")
    with second.kept():
        with first.kept():
            assert eventually(lambda: first.held() or second.held()), first.unreachable()
            leader, other = (first, second) if first.held() else (second, first)
            for _ in range(30):
                assert not (leader.held() and other.held())
                time.sleep(0.1)
            assert leader.held()
        assert eventually(second.held, 2.5)
    assert leases.get(name="promoter", namespace=namespace).spec.holderIdentity == ""


def test_one_that_is_gone_without_a_word_is_followed_when_its_lease_has_run_out(promoter):
    gone, second = promoter("gone"), promoter("second")
    gone.strive()
    assert eventually(lambda: gone.held() or gone.strive()), gone.unreachable()
    began = time.monotonic()
    with second.kept():
        assert eventually(second.held)
    assert time.monotonic() - began >= BRISK["duration"].total_seconds()
    assert not gone.held()


def test_its_account_may_do_nothing_with_another_lease(promoter):
    other = promoter("first", lease="another")
    other.strive()
    assert not other.held()
    time.sleep(BRISK["duration"].total_seconds())
    assert "needs `get` and `update` on the Lease another" in other.unreachable()
