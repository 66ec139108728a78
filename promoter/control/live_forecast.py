"""What live traffic says of a rollout that has not begun."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from promoter.control.observe import Ports
from promoter.control.past import SETTLE, stables_past
from promoter.decisions.counting import request_rate
from promoter.decisions.forecast import forecast
from promoter.decisions.start import pods_for_all
from promoter.domain.forecast import Forecast
from promoter.domain.observation import Observation
from promoter.errors import ClusterUnavailable, InvalidInput


def live_forecast(ports: Ports, seen: Observation, now: datetime) -> Forecast:
    """The forecast for the next version of a model, of which Git was read. Raises MetricsUnavailable, InvalidInput."""
    stable, traits = seen.release.stable, seen.traits
    if stable is None:
        raise InvalidInput(f"{seen.served} serves nothing yet: its first version becomes stable without a rollout")
    history, calibration = stables_past(
        ports.metrics, seen.served, stable.version, seen.policy, traits=traits, before=now - SETTLE
    )
    rate = request_rate(history, traits.scrape_interval)
    application = None
    with suppress(ClusterUnavailable):
        application = ports.cluster.application(seen.served)
    return forecast(seen.policy, calibration, traits, rate=rate, full=pods_for_all(stable, application))
