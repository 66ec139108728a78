"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Machines are shared and noisy: a slow example is no fault. The same examples every time, so that a failure is news.
settings.register_profile(
    "quiet", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("quiet")
