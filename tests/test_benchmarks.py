"""What `make bench` says of verdict to traffic: the figures of the one measurement, or that there are none."""

import pytest

from benchmarks import revert_to_envoy, verdict_to_traffic
from promoter.errors import InvalidSettings

MEASUREMENT = """\
import pytest

pytestmark = pytest.mark.e2e

def test_measures(record_property):
    {body}
"""


@pytest.fixture
def measurement(tmp_path):
    def written(body):
        path = tmp_path / "test_measurement.py"
        path.write_text(MEASUREMENT.format(body=body))
        return str(path)

    return written


def test_what_the_measurement_records_is_what_is_measured(measurement):
    recording = measurement(f'record_property("{verdict_to_traffic.SECONDS}", "[1.5, 0.25]")')
    assert verdict_to_traffic.measured(recording) == [1.5, 0.25]


def test_a_measurement_that_fails_has_no_figures(measurement):
    failing = measurement('record_property("seconds", "[1.5]"); assert not "a request failed"')
    assert verdict_to_traffic.measured(failing) is None


def test_figures_over_their_bars_are_not_held():
    held = [figure.is_held for figure in verdict_to_traffic.figures([1.0] * 40 + [6.0] * 10)]
    assert held == [True, False]


def test_without_a_cluster_it_is_said_loudly_what_was_not_measured_and_why(monkeypatch, capsys):
    monkeypatch.delenv("ARGOCD_URL", raising=False)
    assert verdict_to_traffic.main() == 0
    said = capsys.readouterr().out
    assert "WAS NOT MEASURED (bars: median 2 s, 95th percentile 5 s)" in said
    assert "ARGOCD_URL: Argo CD's API server" in said


@pytest.mark.parametrize(("seconds", "status"), [([1.0, 1.0], 0), ([3.0, 3.0], 1), (None, 1)])
def test_with_a_cluster_the_bars_decide_on_the_exit_status(monkeypatch, tmp_path, seconds, status):
    complete = tmp_path / "place.py"
    complete.write_text("")
    monkeypatch.setattr(verdict_to_traffic, "PLACE", complete)
    monkeypatch.setattr(verdict_to_traffic, "measured", lambda _: seconds)
    assert verdict_to_traffic.main() == status


def test_without_a_sandbox_it_is_said_loudly_that_the_revert_was_not_measured(monkeypatch, capsys):
    def missing(*_):
        raise InvalidSettings("envoy needs the program 'envoy'")

    monkeypatch.setattr(revert_to_envoy, "measured", missing)
    assert revert_to_envoy.main() == 0
    said = capsys.readouterr().out
    assert "WAS NOT MEASURED (bar: 2 s)" in said
    assert "envoy needs the program 'envoy'" in said


@pytest.mark.parametrize(("seconds", "status"), [([1.0, 1.5], 0), ([1.0, 2.5], 1)])
def test_the_slowest_revert_decides_on_the_exit_status(monkeypatch, seconds, status):
    monkeypatch.setattr(revert_to_envoy, "measured", lambda *_: seconds)
    assert revert_to_envoy.main() == status
