"""A constant-product pair (Uniswap v2) as its contract keeps it."""

from __future__ import annotations

from math import isqrt

Pair = tuple[int, int]
"""An amount of token0 and one of token1, in smallest units."""
LOCKED = 1000
"""Liquidity tokens of the first mint that nobody owns (Uniswap v2 Core whitepaper, 3.4)."""


class ConstantProductPool:
    """State of a pair with the fixed fee of 0.3 % on the input, none of it the protocol's.

    Attributes:
        reserves: tokens in the contract.
        shares: liquidity tokens by owner.
        fees_thousandths: fees paid since the pair began, in thousandths of the smallest unit.
    """

    def __init__(self) -> None:
        self.reserves: Pair = (0, 0)
        self.shares: dict[str, int] = {}
        self.fees_thousandths: Pair = (0, 0)

    @property
    def supply(self) -> int:
        """Liquidity tokens in all."""
        return sum(self.shares.values())

    def swap(self, zero_for_one: bool, amount: int) -> tuple[int, int]:
        """Swap at the best price that the contract's invariant allows.

        Args:
            amount: input including its fee where positive, output where negative.

        Returns:
            What came in and what went out.

        Raises:
            ValueError: nothing would come in or go out, or more would go out than there is.
        """
        held_in, held_out = self.reserves if zero_for_one else self.reserves[::-1]
        if amount >= 0:
            came = amount
            went = amount * 997 * held_out // (held_in * 1000 + amount * 997)
        else:
            went = -amount
            if went >= held_out:
                raise ValueError("more asked for than the pair holds")
            came = held_in * went * 1000 // ((held_out - went) * 997) + 1
        if came <= 0 or went <= 0:
            raise ValueError("a swap needs something to come in and something to go out")
        x, y = held_in + came, held_out - went
        # the invariant that the contract checks (whitepaper, 3.2.1)
        assert (x * 1000 - came * 3) * y * 1000 >= held_in * held_out * 1000**2
        self.reserves = (x, y) if zero_for_one else (y, x)
        fee0, fee1 = self.fees_thousandths
        self.fees_thousandths = (fee0 + 3 * came, fee1) if zero_for_one else (fee0, fee1 + 3 * came)
        return came, went

    def mint(self, owner: str, amount0: int, amount1: int) -> int:
        """Add tokens in the ratio of the reserves; returns the liquidity tokens given for them.

        Raises:
            ValueError: too little for one.
        """
        supply = self.supply
        if supply == 0:
            given = isqrt(amount0 * amount1) - LOCKED
            self.shares["0x" + "0" * 40] = LOCKED
        else:
            given = min(amount0 * supply // self.reserves[0], amount1 * supply // self.reserves[1])
        if given <= 0:
            raise ValueError("too little to mint a liquidity token")
        self.shares[owner] = self.shares.get(owner, 0) + given
        self.reserves = (self.reserves[0] + amount0, self.reserves[1] + amount1)
        return given

    def burn(self, owner: str, shares: int) -> Pair:
        """Take out the part of the reserves that liquidity tokens stand for; returns it.

        Raises:
            ValueError: the owner has fewer.
        """
        if not 0 < shares <= self.shares.get(owner, 0):
            raise ValueError(f"{owner} does not have {shares} liquidity tokens")
        supply = self.supply
        paid = (self.reserves[0] * shares // supply, self.reserves[1] * shares // supply)
        self.shares[owner] -= shares
        self.reserves = (self.reserves[0] - paid[0], self.reserves[1] - paid[1])
        return paid
