"""The events of Uniswap pools: topic, number of topics, number of data words.

topic0 is the Keccak-256 of the signature. Signatures: IUniswapV3PoolEvents.sol and IUniswapV2Pair.sol of the
Uniswap core repositories.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One event of a pool contract.

    Attributes:
        name: name in the tables (``swap``, ``mint``, ...).
        signature: what topic0 hashes.
        topics: number of topics, topic0 included.
        words: number of 32-byte data words.
    """

    name: str
    signature: str
    topic0: str
    topics: int
    words: int


V3 = (
    Event(
        "swap",
        "Swap(address,address,int256,int256,uint160,uint128,int24)",
        "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",
        3,
        5,
    ),
    Event(
        "mint",
        "Mint(address,address,int24,int24,uint128,uint256,uint256)",
        "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde",
        4,
        4,
    ),
    Event(
        "burn",
        "Burn(address,int24,int24,uint128,uint256,uint256)",
        "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c",
        4,
        3,
    ),
    Event(
        "collect",
        "Collect(address,address,int24,int24,uint128,uint128)",
        "0x70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0",
        4,
        3,
    ),
    Event(
        "flash",
        "Flash(address,address,uint256,uint256,uint256,uint256)",
        "0xbdbdb71d7860376ba52b25a5028beea23581364a40522f6bcfb86bb1f2dca633",
        3,
        4,
    ),
    Event(
        "set_fee_protocol",
        "SetFeeProtocol(uint8,uint8,uint8,uint8)",
        "0x973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133",
        1,
        4,
    ),
    Event(
        "collect_protocol",
        "CollectProtocol(address,address,uint128,uint128)",
        "0x596b573906218d3411850b26a6b437d6c4522fdb43d2d2386263f86d50b8b151",
        3,
        2,
    ),
)
"""Events of a Uniswap v3 pool that move tokens or fees."""

V2 = (
    Event(
        "swap",
        "Swap(address,uint256,uint256,uint256,uint256,address)",
        "0xd78ad95fa46c994b6551d0da85fc275fe613ce37657fb8d5e3d130840159d822",
        3,
        4,
    ),
    Event(
        "sync",
        "Sync(uint112,uint112)",
        "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1",
        1,
        2,
    ),
    Event(
        "mint",
        "Mint(address,uint256,uint256)",
        "0x4c209b5fc8ad50758f13e2e1088ba56a560dff690a1c6fef26394f4c03821c4f",
        2,
        2,
    ),
    Event(
        "burn",
        "Burn(address,uint256,uint256,address)",
        "0xdccd412f0b1252819cb1fd330b93224ca42612892bb3f4f789976e6d81936496",
        3,
        2,
    ),
)
"""Events of a Uniswap v2 pair. A sync before each swap, mint and burn states the reserves after it."""

PROTOCOLS: dict[str, tuple[Event, ...]] = {"uniswap_v2": V2, "uniswap_v3": V3}
SET_FEE_PROTOCOL = next(event for event in V3 if event.name == "set_fee_protocol")
SWAP_EVENTS = ("swap", "sync")
"""Events asked for as swaps; the rest are liquidity events."""


def topics_of(protocol: str, *, swaps: bool) -> tuple[str, ...]:
    """topic0 of a protocol's swap events, or of its liquidity events."""
    return tuple(event.topic0 for event in PROTOCOLS[protocol] if (event.name in SWAP_EVENTS) == swaps)
