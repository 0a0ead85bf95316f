"""What is planted on the simulated chain: pools, their liquidity and their traders."""

from __future__ import annotations

from dataclasses import dataclass

GENESIS = 1_438_214_400
"""Epoch seconds of block 0: 2015-07-30 00:00 UTC. Block n is made 12 n seconds later, none is missed."""
BLOCK_SECONDS = 12
BLOCKS_A_DAY = 86_400 // BLOCK_SECONDS


@dataclass(frozen=True)
class Token:
    """A token contract.

    Attributes:
        base: the coin it stands for; empty for a dollar token.
    """

    symbol: str
    address: str
    decimals: int
    base: str = ""


USDC = Token("USDC", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 6)
WETH = Token("WETH", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", 18, "ETH")
USDT = Token("USDT", "0xdac17f958d2ee523a2206206994597c13d831ec7", 6)


@dataclass(frozen=True)
class Noise:
    """Trades that know nothing: buys and sells alike, at random moments.

    Attributes:
        per_day: mean number (Poisson).
        median_usd, spread: of the log-normal size; ``spread`` is the standard deviation of its logarithm.
        exact_output: share of trades that fix what they get rather than what they give.
    """

    per_day: float
    median_usd: float
    spread: float = 1.0
    exact_output: float = 0.25


@dataclass(frozen=True)
class PlantedPool:
    """A pool, its liquidity providers and its noise traders.

    Attributes:
        protocol: uniswap_v2 or uniswap_v3.
        liquidity: one provider each: how many times the price may rise or fall within its range (0: all
            prices), and dollars put in. The narrow ones of a v3 pool follow the price once a week.
        protocol_share: denominator of the protocol's share of the fees from ``share_from_day`` on; 0: none.
    """

    address: str
    protocol: str
    token0: Token
    token1: Token
    fee_pips: int
    tick_spacing: int
    liquidity: tuple[tuple[float, float], ...]
    noise: Noise
    protocol_share: int = 0
    share_from_day: int = 10

    def __post_init__(self) -> None:
        if bool(self.token0.base) == bool(self.token1.base):
            raise ValueError(f"{self.address}: one token must be a coin and the other a dollar token")
        if self.protocol == "uniswap_v2" and self.fee_pips != 3000:
            raise ValueError(f"{self.address}: a v2 pair has a fee of 3000 pips")

    @property
    def base_is_token0(self) -> bool:
        """The coin is token0 and the dollar token1."""
        return bool(self.token0.base)

    @property
    def base(self) -> str:
        """The coin."""
        return self.token0.base or self.token1.base

    def raw_price(self, usd: float) -> float:
        """Token1 per token0, both in smallest units, at a dollar price of the coin."""
        scale = 10.0 ** (self.token1.decimals - self.token0.decimals)
        return usd * scale if self.base_is_token0 else scale / usd

    def usd_price(self, raw: float) -> float:
        """Dollar price of the coin from token1 per token0."""
        scale = 10.0 ** (self.token1.decimals - self.token0.decimals)
        return raw / scale if self.base_is_token0 else scale / raw

    def usd_values(self, usd: float) -> tuple[float, float]:
        """Dollars per smallest unit of token0 and of token1 at a dollar price of the coin."""
        one0, one1 = 10.0**-self.token0.decimals, 10.0**-self.token1.decimals
        return (usd * one0, one1) if self.base_is_token0 else (one0, usd * one1)


POOLS = (
    PlantedPool(
        "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640", "uniswap_v3", USDC, WETH, 500, 10,
        liquidity=((0.0, 4e6), (2.0, 7e6), (1.25, 2e6), (1.10, 0.7e6)),
        noise=Noise(120.0, 75_000.0), protocol_share=4,
    ),
    PlantedPool(
        "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc", "uniswap_v2", USDC, WETH, 3000, 0,
        liquidity=((0.0, 24e6), (0.0, 6e6)), noise=Noise(50.0, 45_000.0),
    ),
)  # fmt: skip
"""The two dollar pools of ether that are known best, under their own addresses."""


@dataclass(frozen=True)
class OnChain:
    """The simulated chain.

    Attributes:
        days: how many of the market's last days the pools live.
        check_blocks: blocks between two looks of the arbitrageurs.
        tend_days: days between two visits of the liquidity providers.
    """

    days: int = 61
    check_blocks: int = 50
    tend_days: int = 7
    pools: tuple[PlantedPool, ...] = POOLS
