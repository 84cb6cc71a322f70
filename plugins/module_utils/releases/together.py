"""What several threads ask for at the same time, and one does for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Together:
    """Something that is done once for all who have asked for it before it began."""

    def __init__(self) -> None:
        self._counting, self._doing = threading.Lock(), threading.Lock()
        self._asked = self._done = 0

    def ask(self, do: Callable[[], object]) -> None:
        """Return when it was done after this call. Raises what `do` raises."""
        with self._counting:
            self._asked += 1
            mine = self._asked
        with self._doing:
            if self._done >= mine:
                return
            with self._counting:
                begun = self._asked
            do()
            self._done = begun
