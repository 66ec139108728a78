"""Numbers as people read them."""

from __future__ import annotations


def percent(part: float, whole: float = 1.0) -> str:
    """`part` of `whole` in percent, two significant digits: `3.1 %`, `0.024 %`, `0 %`."""
    if not whole or not part:
        return "0 %"
    value = 100 * part / whole
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def grouped(count: int) -> str:
    """A count with thin spaces between thousands: `12 408`."""
    return f"{count:,}".replace(",", "\u202f")
