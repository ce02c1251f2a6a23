"""When garbage is collected: going through everything there is holds up every thread at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


def spare_what_is_loaded() -> None:
    """Leave out of every later collection what is there by now, which is mostly code.

    Those hundred thousand objects take a tenth of a second, in which nothing else is done.
    """
    gc.collect()
    gc.freeze()


@dataclass(slots=True)
class Collecting:
    """Whether garbage is collected at present; for the loop alone."""

    _pauses: int = 0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Collect nothing while the block runs; several may at once.

        It is for blocks that make very many objects, none of which is garbage before their end:
        their number alone would have them all gone through, again and again.
        """
        self._pauses += 1
        gc.disable()
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                gc.enable()
