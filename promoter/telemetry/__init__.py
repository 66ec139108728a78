"""What a promoter that runs as a service tells of itself: whether it gets on, and figures for Prometheus."""

from promoter.telemetry.health import Health
from promoter.telemetry.measured import MeasuredPreflights, measured
from promoter.telemetry.metrics import PassMetrics
from promoter.telemetry.server import Endpoints, serve
from promoter.telemetry.webhook import Webhook

__all__ = ["Endpoints", "Health", "MeasuredPreflights", "PassMetrics", "Webhook", "measured", "serve"]
