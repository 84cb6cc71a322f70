"""What several threads ask for at the same time, and one does for all of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Together:
    """Something that is done once for all who have asked for it before it began. Raises what doing it raises."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self._counting, self._doing = threading.Lock(), threading.Lock()
        self._asked = self._done = 0
        self._is_put_off = self._is_owed = False

    def ask(self) -> None:
        """Return when it was done after this call."""
        with self._counting:
            self._asked += 1
            mine = self._asked
        with self._doing:
            if self._done >= mine:
                return
            with self._counting:
                begun = self._asked
            self._do()
            self._done = begun

    def ask_later(self) -> None:
        """Have it done at the end of `with at_the_end()`; outside of one, as `ask`."""
        if self._is_put_off:
            self._is_owed = True
        else:
            self.ask()

    @contextlib.contextmanager
    def at_the_end(self) -> Iterator[None]:
        """Do it once at the end for all who can wait, if there is anybody."""
        self._is_put_off = True
        try:
            yield
        finally:
            is_owed, self._is_put_off, self._is_owed = self._is_owed, False, False
            if is_owed:
                self.ask()
