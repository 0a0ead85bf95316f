"""AMM tables as downloaded: node logs, pool-days asked for, minute files, v2 snapshots."""

from __future__ import annotations

from typing import Final

from perp_pipeline.contracts import amm_checks
from perp_pipeline.contracts.model import Column, Contract

CHAIN = Column("chain", "string", "ethereum, arbitrum, base, optimism, polygon, or a user's own")
POOL = Column("pool", "string", "pool contract, 0x and 40 lower-case hexadecimal digits")
DAY = Column("day", "date", "UTC day")
BLOCK = Column("block_number", "int64", "block", low=0)
LOG = Column("log_index", "int64", "place of the log in the block", low=0)
TIME = Column(
    "time",
    "timestamp",
    "block time: exact at day borders and where the node sends it, else interpolated inside the hour",
)
TX = Column("tx_hash", "string", "transaction")
_URL = Column("source_url", "string", "where the row came from; rpc://{chain}/ stands for a node's address")
_SHA = Column("download_sha256", "string", "digest of the body it came from")
PARTS = ("chain", "pool")


def _topic(place: int) -> Column:
    return Column(f"topic{place}", "string", f"topic {place}, 0x and 64 digits", nullable=place > 0)


RAW_ETH_LOGS = Contract(
    name="raw_eth_logs",
    doc=(
        "Logs of the followed pools as a node sent them (eth_getLogs), or HyperSync: swaps, mints, burns, "
        "collects, fee switches."
    ),
    grain="one log",
    key=("chain", "pool", "block_number", "log_index"),
    large=True,
    columns=(
        CHAIN,
        POOL,
        BLOCK,
        LOG,
        TIME,
        Column("time_exact", "bool", "the block's time came with the log"),
        Column("tx_index", "int64", "place of the transaction in the block", low=0),
        TX,
        *(_topic(place) for place in range(4)),
        Column("data", "string", "ABI words, 0x and hexadecimal digits"),
        _URL,
        _SHA,
    ),
    time="time",
    partition_by=PARTS,
)

RAW_AMM_DAYS = Contract(
    name="raw_amm_days",
    doc=(
        "Which UTC days of which pool the lake has sources for, by kind, with the pool's constants. A day "
        "that a node does not hold is here with its words, and has no rows elsewhere; one that it holds in "
        "part has its swaps up to last_block, and no pool-day. The protocol's share of the fees is that of "
        "the day's beginning, whenever it was switched on; switches inside days are in "
        "core_amm_fee_protocol. Where no node tells it, it is the registry's, which is 0 where nothing is "
        "declared, and a warning."
    ),
    grain="one pool, kind of source and day",
    key=("chain", "pool", "kind", "day"),
    columns=(
        CHAIN,
        POOL,
        Column("kind", "string", "what was read", values=("swaps", "liquidity", "minutes", "snapshots")),
        DAY,
        Column("first_block", "int64", "first block of the day; null for files", nullable=True),
        Column(
            "last_block",
            "int64",
            "last block of the day, or of what is held of it; null for files",
            nullable=True,
        ),
        Column("served", "bool", "the source holds the whole day"),
        Column("n_rows", "int64", "rows that came", low=0),
        Column("reason", "string", "the node's words where the day is not served", nullable=True),
        Column(
            "balance0",
            "uint256",
            "token0 that the pool holds after last_block; null where the node does not tell",
            "smallest units",
            nullable=True,
        ),
        Column(
            "balance1",
            "uint256",
            "token1 that the pool holds after last_block; null where the node does not tell",
            "smallest units",
            nullable=True,
        ),
        Column("protocol", "string", "kind of contract", values=("uniswap_v2", "uniswap_v3")),
        Column("token0", "string", "symbol of token0"),
        Column("token1", "string", "symbol of token1"),
        Column("decimals0", "int32", "decimals of token0", low=0, high=36),
        Column("decimals1", "int32", "decimals of token1", low=0, high=36),
        Column("tracks0", "string", "USD or the base asset that values token0", nullable=True),
        Column("tracks1", "string", "USD or the base asset that values token1", nullable=True),
        Column("fee_pips", "int32", "fee", "millionths of the input", low=0, high=1_000_000),
        Column("tick_spacing", "int32", "ticks between usable ticks; 0 for v2", "ticks", low=0),
        Column(
            "fee_protocol0",
            "int32",
            "protocol's share of token0 fees when the day begins: one n-th, 0 for none",
            low=0,
        ),
        Column(
            "fee_protocol1",
            "int32",
            "protocol's share of token1 fees when the day begins: one n-th, 0 for none",
            low=0,
        ),
        Column(
            "fee_protocol_source",
            "string",
            "who says so: the contract's state before the day (v3: slot0; v2: feeTo of the factory, 6 while "
            "it is set), all events since the pool was made, or the registry alone (0 unless declared "
            "otherwise), because no node told",
            values=("contract", "events", "declared"),
        ),
        _URL,
        Column(
            "download_sha256", "string", "digest of the first body; null where nothing came", nullable=True
        ),
    ),
    time="day",
    partition_by=PARTS,
    checks=(amm_checks.SHARE_KNOWN,),
)

RAW_AMM_MINUTES = Contract(
    name="raw_amm_minutes",
    doc="Minute files of v3 pools as demeter writes them. A minute without swaps repeats the tick before it.",
    grain="one pool and minute",
    key=("chain", "pool", "minute"),
    large=True,
    columns=(
        CHAIN,
        POOL,
        Column("minute", "timestamp", "start of the minute"),
        Column(
            "net_amount0", "uint256", "token0 into the pool less token0 out of it, signed", "smallest units"
        ),
        Column(
            "net_amount1", "uint256", "token1 into the pool less token1 out of it, signed", "smallest units"
        ),
        Column("in_amount0", "uint256", "token0 into the pool, fee included", "smallest units"),
        Column("in_amount1", "uint256", "token1 into the pool, fee included", "smallest units"),
        Column("close_tick", "int32", "tick after the minute's last swap", "ticks"),
        Column("current_liquidity", "uint256", "liquidity in force after the minute's last swap"),
        _URL,
        _SHA,
    ),
    time="minute",
    partition_by=PARTS,
)

RAW_AMM_SNAPSHOTS = Contract(
    name="raw_amm_snapshots",
    doc="Snapshots of v2 pairs as their subgraph states them: reserves, supply, cumulative volumes.",
    grain="one pair and moment",
    key=("chain", "pool", "time"),
    columns=(
        CHAIN,
        POOL,
        Column("time", "timestamp", "moment of the snapshot"),
        Column("reserve0", "float64", "reserve of token0", "tokens", low=0),
        Column("reserve1", "float64", "reserve of token1", "tokens", low=0),
        Column("total_supply", "float64", "liquidity tokens", "tokens", low=0),
        Column("volume0", "float64", "token0 traded since the pair began", "tokens", low=0),
        Column("volume1", "float64", "token1 traded since the pair began", "tokens", low=0),
        Column("tx_count", "int64", "transactions since the pair began", low=0),
        _URL,
        _SHA,
    ),
    time="time",
    partition_by=PARTS,
)

TABLES: Final = (RAW_ETH_LOGS, RAW_AMM_DAYS, RAW_AMM_MINUTES, RAW_AMM_SNAPSHOTS)
