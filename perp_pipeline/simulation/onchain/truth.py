"""What liquidity providers earned, read from the pools' state and their own books, not from any log.

Providers of a pool hold principal, burnt principal not yet collected, and fees. The change of it over a day,
less what they put in, is the day's hedged profit once both tokens are valued at the price of the day's end.
Fees are those that the pool has credited and would credit to its positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import numpy as np

from perp_pipeline.simulation.onchain.chain import PoolRecord, SimulatedChain
from perp_pipeline.simulation.onchain.deployed import State
from perp_pipeline.simulation.onchain.parameters import BLOCK_SECONDS, BLOCKS_A_DAY


@dataclass(frozen=True)
class PoolDayTruth:
    """One UTC day of a pool. Dollars are at the pool's price of the day's end.

    Attributes:
        net0, net1: tokens that swaps brought in, the protocol's fees included, in smallest units.
        price_end: token1 per token0 in whole tokens.
        fees_usd, protocol_fees_usd: of the providers and of the protocol.
        pnl_usd: of the providers, hedged.
    """

    pool: str
    day: date
    n_swaps: int
    net0: int
    net1: int
    price_end: float
    fees_usd: float
    protocol_fees_usd: float
    pnl_usd: float

    @property
    def convexity_usd(self) -> float:
        """What moving prices cost: fees less profit."""
        return self.fees_usd - self.pnl_usd


def volumes(chain: SimulatedChain, address: str) -> list[float]:
    """Dollars that came into a pool by day, each trade's at the pool's price after it."""
    record = chain.records[address]
    found = [0.0] * chain.days
    for trade in record.trades:
        values = _values(record, trade.raw_price)
        day = (trade.block - _first(chain)) // BLOCKS_A_DAY
        found[day] += sum(max(moved, 0) * value for moved, value in zip(trade.moved, values, strict=True))
    return found


def marked(chain: SimulatedChain, address: str, minutes: int) -> list[float]:
    """Dollars that the trades of each day brought in, at the pool's price so many minutes after them.

    The dollar value of the coin is that price; the protocol's fees are not taken off. Trades at the end of
    the chain are valued at its last price.
    """
    record = chain.records[address]
    blocks = np.array([trade.block for trade in record.trades])
    prices = [trade.raw_price for trade in record.trades]
    found = [0.0] * chain.days
    later = minutes * 60 // BLOCK_SECONDS
    # at once means after that very trade, whatever follows in its block
    places = np.searchsorted(blocks, blocks + later, side="right") - 1 if later else np.arange(len(blocks))
    for trade, place in zip(record.trades, places, strict=True):
        values = _values(record, prices[place])
        day = (trade.block - _first(chain)) // BLOCKS_A_DAY
        found[day] += sum(moved * value for moved, value in zip(trade.moved, values, strict=True))
    return found


def _first(chain: SimulatedChain) -> int:
    """Block at the start of the pools' first day."""
    return min(record.balances[0][0] for record in chain.records.values())


def _values(record: PoolRecord, raw_price: float) -> tuple[float, float]:
    planted = record.planted
    return planted.usd_values(planted.usd_price(raw_price))


_NOTHING = State((0, 0), (0, 0), (Fraction(0), Fraction(0)), (0, 0), 1.0, 0)


def pool_days(chain: SimulatedChain) -> tuple[PoolDayTruth, ...]:
    """Truth about each pool and day of a chain, by pool address and day."""
    found = []
    for address, record in sorted(chain.records.items()):
        planted = record.planted
        scale = 10.0 ** (planted.token0.decimals - planted.token1.decimals)
        before = _NOTHING
        for place, after in enumerate(record.states):
            values = [Fraction(value) for value in planted.usd_values(planted.usd_price(after.raw_price))]
            earned = [
                after.held[token] - before.held[token] - after.put_in[token] + before.put_in[token]
                for token in (0, 1)
            ]
            protocol = [after.protocol[token] - before.protocol[token] for token in (0, 1)]
            fees = [after.fees[token] - before.fees[token] for token in (0, 1)]
            found.append(
                PoolDayTruth(
                    pool=address,
                    day=chain.first_day + timedelta(days=place),
                    n_swaps=after.swaps - before.swaps,
                    net0=earned[0] + protocol[0],
                    net1=earned[1] + protocol[1],
                    price_end=after.raw_price * scale,
                    fees_usd=_worth(fees, values),
                    protocol_fees_usd=_worth(protocol, values),
                    pnl_usd=_worth(earned, values),
                )
            )
            before = after
    return tuple(found)


def _worth(amounts: list[int] | list[Fraction], values: list[Fraction]) -> float:
    return float(amounts[0] * values[0] + amounts[1] * values[1])
