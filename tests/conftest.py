"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Machines are shared and noisy: a slow example is no fault. The same examples every time, so that a failure is news.
settings.register_profile(
    "quiet", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("quiet")

# These take minutes each, and mostly wait: begun last, one would run alone at the end.
_FIRST = ("test_end_to_end.py", "test_faults.py", "test_training.py")


def pytest_collection_modifyitems(items):
    """The long files first; all others as they come."""
    order = {name: number for number, name in enumerate(_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
