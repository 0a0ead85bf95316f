"""When to try again, and when to give up."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from perp_pipeline.sources.answers import Trouble
from perp_pipeline.sources.errors import TransientError


class GivenUp(Exception):
    """There is no further attempt; the text says why, as an addition to what happened last."""


@dataclass(frozen=True)
class Patience:
    """How long to keep trying one request.

    Attributes:
        attempts: for network trouble and refusals for the time being.
        body_attempts: for bodies that arrive but are not good.
        backoff: seconds before the second attempt; doubles each time, with jitter.
        max_backoff: longest pause of our own choice, in seconds.
        max_wait: seconds to spend, in all, on pauses the venue asks for.
    """

    attempts: int
    body_attempts: int
    backoff: float
    max_backoff: float
    max_wait: float


@dataclass
class Tries:
    """The failed attempts of one request so far."""

    patience: Patience
    chance: random.Random
    _network: int = field(default=0, init=False)
    _body: int = field(default=0, init=False)
    _waited: float = field(default=0.0, init=False)

    def next_delay(self, trouble: Trouble) -> float:
        """Count a failure; seconds until the next attempt.

        Raises:
            GivenUp: another attempt would not help, or there were enough.
        """
        if not issubclass(trouble.error, TransientError):
            raise GivenUp("")
        if trouble.about_body:
            self._body += 1
            tried, allowed = self._body, self.patience.body_attempts
        else:
            self._network += 1
            tried, allowed = self._network, self.patience.attempts
        if tried >= allowed:
            raise GivenUp(f", {tried} times" if tried > 1 else "")
        if trouble.wait is not None:
            self._waited += trouble.wait
            if self._waited > self.patience.max_wait:
                raise GivenUp(f"; it asks to wait {trouble.wait:,.0f} s, too long for this run")
            return trouble.wait + self.chance.uniform(0.0, min(1.0, trouble.wait / 10))
        # A venue that had enough, and does not say for how long, counts by the minute as a rule.
        base = self.patience.backoff * (5.0 if trouble.limited else 1.0) * 2.0 ** (tried - 1)
        return min(self.patience.max_backoff, base) * self.chance.uniform(0.5, 1.0)
