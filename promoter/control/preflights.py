"""Which runner a preflight is given to: the one that its policy names, or the settings' own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from promoter.domain.preflight import Preflight, PreflightPlace, PreflightRequest
from promoter.errors import PreflightUnavailable
from promoter.ports import Preflights


class ChosenPreflights:
    """`promoter.ports.Preflights` over several. May be asked by several threads.

    runners: made when the first request needs them. usual: where a policy names no place. check_address: raises
    InvalidInput for a store that may not be read, because addresses come from files that a pull request can change.
    """

    def __init__(
        self,
        runners: Mapping[PreflightPlace, Callable[[], Preflights]],
        usual: PreflightPlace,
        check_address: Callable[[str], object],
    ) -> None:
        self._makers = dict(runners)
        self._usual = usual
        self._check_address = check_address
        self._made: dict[PreflightPlace, Preflights] = {}
        self._lock = threading.Lock()

    def ask(self, wanted: PreflightRequest) -> Preflight | str:
        """As the port says. Raises InvalidInput for an address that is not allowed."""
        for address in filter(None, (wanted.candidate, wanted.stable)):
            self._check_address(address)
        return self._runner(wanted.policy.run or self._usual).ask(wanted)

    def _runner(self, place: PreflightPlace) -> Preflights:
        """The one of this place, made once: a second one would run beside it, and nobody would wait for the first."""
        with self._lock:
            if place not in self._made:
                maker = self._makers.get(place)
                if maker is None:
                    raise PreflightUnavailable(
                        f"policy.yaml says `preflight.run: {place}`, which the promoter's settings do not provide for"
                    )
                self._made[place] = maker()
            return self._made[place]

    def settle(self) -> bool:
        # Each is waited for, whatever the others say.
        return sum(runner.settle() for runner in self._made.values()) > 0


class UnaskedPreflights:
    """`promoter.ports.Preflights` for a look that starts nothing."""

    def ask(self, wanted: PreflightRequest) -> Preflight | str:  # noqa: ARG002 - the port's
        return "`promoter run` asks for it"

    def settle(self) -> bool:
        return False
