"""A lake: hive-partitioned Parquet with typed reads and commits that never lose what was good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from upath import UPath

from perp_pipeline.contracts.model import Contract
from perp_pipeline.lake import files
from perp_pipeline.lake.errors import LakeError, TableMissing
from perp_pipeline.lake.paths import (
    PART,
    PartitionKey,
    parse_partition,
    partition_file,
    partition_names,
    table_directory,
)
from perp_pipeline.lake.tables import in_order, split, to_frame, to_parquet
from perp_pipeline.months import Span

QUARANTINE = "_quarantine"
MARKET = "_market.json"
_WRITERS = 8
_UNCHANGED = "unchanged"
PIECE = 25_000
"""Rows of a large table that are read at a time."""


@dataclass
class Commit:
    """What a commit did, by partition."""

    written: list[PartitionKey] = field(default_factory=list)
    unchanged: list[PartitionKey] = field(default_factory=list)
    refused: dict[PartitionKey, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lake:
    """A folder (local, or any fsspec address such as ``s3://bucket/lake``) of contract tables."""

    root: UPath

    @classmethod
    def at(cls, address: str | UPath) -> Lake:
        """Open a lake; nothing is created until something is written."""
        path = UPath(address)
        return cls(path.absolute() if files.is_local(path) else path)

    def partitions(
        self, contract: Contract, span: Span | None = None, where: Mapping[str, Sequence[str]] | None = None
    ) -> dict[PartitionKey, UPath]:
        """Files of a table, in order, pruned by month and by partition value."""
        directory = table_directory(self.root, contract)
        if not directory.exists():
            return {}
        levels = len(partition_names(contract))
        found = {
            parse_partition(directory, file): file
            for file in directory.glob("/".join(["*"] * levels + [PART]) if levels else PART)
        }
        return {key: found[key] for key in sorted(found) if _wanted(key, span, where or {})}

    def read(
        self,
        contract: Contract,
        span: Span | None = None,
        where: Mapping[str, Sequence[str]] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Rows of a table by its contract's schema, sorted by key.

        Args:
            span: months to read; all by default.
            where: allowed values by column; partition columns prune files.
            columns: columns to read; all by default.

        Raises:
            TableMissing: the lake has no file of the table in these months.
            LakeError: a condition names a column that the table lacks.
        """
        conditions = dict(where or {})
        for name in (*conditions, *(columns or ())):
            if name not in contract.schema.names:
                raise LakeError(
                    f"{contract.name} has no column {name!r}; it has {', '.join(contract.schema.names)}"
                )
        paths = self.partitions(contract, span, conditions)
        if not paths:
            raise TableMissing(
                f"{contract.name}: nothing in {self.root}"
                + (f" for {span}" if span else "")
                + "".join(
                    f", {name} = {' or '.join(map(str, values))}" for name, values in conditions.items()
                )
                + f". Remedy: perp run --select {contract.name}"
            )
        hive = pa.schema([pa.field(name, pa.string()) for name in partition_names(contract)])
        dataset = ds.dataset(
            [_address(path) for path in paths.values()],
            schema=_readable(contract.schema, hive),
            format="parquet",
            filesystem=None if files.is_local(self.root) else self.root.fs,
            partitioning=ds.partitioning(hive, flavor="hive") if len(hive) else None,
        )
        wanted = list(columns) if columns else contract.schema.names
        needed = list(dict.fromkeys([*wanted, *contract.key]))
        table = dataset.to_table(columns=needed, filter=_expression(contract, conditions))
        table = in_order(contract, table).select(wanted)
        return table.replace_schema_metadata(contract.schema.metadata)

    def frame(
        self,
        contract: Contract,
        span: Span | None = None,
        where: Mapping[str, Sequence[str]] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """:meth:`read` as a pandas frame (dates are naive midnights)."""
        return to_frame(self.read(contract, span, where, columns))

    def pieces(
        self,
        contract: Contract,
        span: Span | None = None,
        where: Mapping[str, Sequence[str]] | None = None,
        columns: Sequence[str] | None = None,
        *,
        apart: str,
    ) -> Iterator[pa.Table]:
        """:meth:`read`, some :data:`PIECE` rows of a partition at a time.

        Args:
            where: allowed values by partition column.
            apart: a column of the key by which a partition's rows ascend: rows that share a value of it are
                in one piece.
        """
        wanted = list(columns) if columns else contract.schema.names
        for key, path in self.partitions(contract, span, where).items():
            values = dict(key.values)
            stored = [name for name in wanted if name not in contract.partition_by]
            with path.open("rb") as file:
                source = pq.ParquetFile(file)
                held: pa.Table | None = None
                for batch in source.iter_batches(PIECE, columns=list({*stored, apart}), use_threads=False):
                    table = pa.Table.from_batches([batch])
                    held = table if held is None else pa.concat_tables([held, table])
                    border = pc.index(held[apart], held[apart][-1]).as_py()
                    if border:
                        yield _with_partition(contract, held.slice(0, border), values, wanted)
                        held = held.slice(border)
                if held is not None:
                    yield _with_partition(contract, held, values, wanted)

    def commit(
        self,
        contract: Contract,
        table: pa.Table,
        *,
        now: datetime,
        span: Span | None = None,
        scope: Mapping[str, Collection[str]] | None = None,
        hold_back: frozenset[PartitionKey] = frozenset(),
        allow_lost_rows: bool = False,
    ) -> Commit:
        """Publish an audited table, partition by partition; each appears whole or not at all.

        A partition whose bytes are already there is not touched. One that would lose rows of a closed
        month, by key, is refused and quarantined; what was there stays.

        Args:
            table: by the contract's schema, sorted by key (:func:`~perp_pipeline.lake.tables.to_arrow`).
            span: the months that ``table`` claims to cover; a closed month that is in the lake but not
                in the table counts as lost.
            scope: partition values that ``table`` claims to cover (some pools, one venue); all by default.
            hold_back: partitions that failed their audit: neither written nor counted as lost.
            allow_lost_rows: let a closed month shrink.
        """
        parts = list(split(contract, table))
        seen = {key for key, _ in parts}
        kept = [(key, part) for key, part in parts if key not in hold_back]

        def put(item: tuple[PartitionKey, pa.Table]) -> str | None:
            return self._put(contract, *item, now, allow_lost_rows)

        report = Commit()
        # The disk's word that a file is safe is what takes time: several files wait for it at once.
        with ThreadPoolExecutor(_WRITERS) as writers:
            for (key, _), outcome in zip(kept, writers.map(put, kept), strict=True):
                if outcome is None:
                    report.written.append(key)
                elif outcome == _UNCHANGED:
                    report.unchanged.append(key)
                else:
                    report.refused[key] = outcome
        if span is not None and not allow_lost_rows:
            for key in self.partitions(contract, span):
                month = key.month
                if key in seen or key in hold_back or month is None or not month.is_closed(now):
                    continue
                if key.matches(scope or {}):
                    report.refused[key] = (
                        f"{contract.name} {key}: the refresh has no row of this closed month, the lake has. "
                        "Kept as it was. Remedy: look at the source, then run again with --allow-lost-rows."
                    )
        return report

    def _put(
        self, contract: Contract, key: PartitionKey, part: pa.Table, now: datetime, allow_lost_rows: bool
    ) -> str | None:
        """Publish one partition. None if it was written, else :data:`_UNCHANGED` or why it was refused."""
        path = partition_file(self.root, contract, key)
        content = to_parquet(contract, part)
        if path.exists():
            if path.read_bytes() == content:
                return _UNCHANGED
            closed = contract.layer != "out" and key.month is not None and key.month.is_closed(now)
            if closed and not allow_lost_rows:
                lost = self._lost(contract, path, part)
                if len(lost):
                    message = _lost_message(contract, key, lost)
                    self.quarantine(contract, part, key, message, now)
                    return message
        files.put(self.root, path, content)
        return None

    def quarantine(
        self, contract: Contract, table: pa.Table, key: PartitionKey, reason: str, now: datetime
    ) -> UPath:
        """Keep a rejected partition, with the reason beside it, out of every reader's way."""
        content = to_parquet(contract, table, audited=False)
        return self._keep(contract, str(key).replace("/", ",") or "all", content, reason, now)

    def quarantine_frame(self, contract: Contract, frame: pd.DataFrame, reason: str, now: datetime) -> UPath:
        """Keep a frame that does not fit its contract's schema, its values as text."""
        table = pa.Table.from_pandas(frame.astype(str), preserve_index=False)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return self._keep(contract, "schema", sink.getvalue().to_pybytes(), reason, now)

    def market(self) -> str | None:
        """``real``, or ``simulated seed N``; None for a lake that nothing was written to."""
        path = self.root / MARKET
        return str(json.loads(path.read_text())["market"]) if path.exists() else None

    def claim_for(self, market: str) -> None:
        """Mark the lake as holding one market's data.

        Raises:
            LakeError: it already holds another's: real and simulated rows never share a lake.
        """
        held = self.market()
        if held is None:
            files.put(self.root, self.root / MARKET, json.dumps({"market": market}).encode())
        elif held != market:
            raise LakeError(
                f"{self.root} holds {held} data, this run makes {market} data. Remedy: name another --lake."
            )

    def _keep(self, contract: Contract, part: str, content: bytes, reason: str, now: datetime) -> UPath:
        folder = self.root / QUARANTINE / contract.name / part / hashlib.sha256(content).hexdigest()[:16]
        files.put(self.root, folder / "rejected.parquet", content)
        note = {"table": contract.name, "partition": part, "reason": reason, "rejected_at": now.isoformat()}
        files.put(self.root, folder / "reason.json", json.dumps(note, indent=1).encode())
        return folder

    def _lost(self, contract: Contract, path: UPath, part: pa.Table) -> pd.DataFrame:
        names = [name for name in contract.key if name not in contract.partition_by]
        with path.open("rb") as file:
            old = pq.read_table(file, columns=names).to_pandas()
        new = part.select(names).to_pandas()
        merged = old.merge(new.drop_duplicates(), on=names, how="left", indicator=True)
        return merged.loc[merged["_merge"] == "left_only", names]


def _with_partition(
    contract: Contract, table: pa.Table, values: Mapping[str, str], wanted: Sequence[str]
) -> pa.Table:
    """Rows of a file with what its path says, by the contract's schema."""
    for name in contract.partition_by:
        table = table.append_column(name, pa.repeat(pa.scalar(values[name]), len(table)))
    schema = pa.schema([contract.schema.field(name) for name in wanted], metadata=contract.schema.metadata)
    return table.select(wanted).cast(schema)


def _wanted(key: PartitionKey, span: Span | None, where: Mapping[str, Sequence[str]]) -> bool:
    if span is not None and key.month is not None and key.month not in span:
        return False
    return all(value in where[name] for name, value in key.values if name in where)


def _address(path: UPath) -> str:
    return str(path) if files.is_local(path) else path.path


def _readable(schema: pa.Schema, hive: pa.Schema) -> pa.Schema:
    extra = [field for field in hive if field.name not in schema.names]
    return pa.schema([*schema, *extra])


def _expression(contract: Contract, where: Mapping[str, Sequence[str]]) -> ds.Expression | None:
    expression = None
    for name, values in where.items():
        kind = contract.schema.field(name).type
        test = ds.field(name).isin(pa.array(list(values)).cast(kind))
        expression = test if expression is None else expression & test
    return expression


def _lost_message(contract: Contract, key: PartitionKey, lost: pd.DataFrame) -> str:
    shown = "; ".join(str(tuple(map(str, row))) for row in lost.head(3).itertuples(index=False))
    return (
        f"{contract.name} {key}: the refresh would lose {len(lost)} row(s) of a closed month, first {shown}. "
        "Kept as it was; the refresh is in _quarantine. Remedy: look at the source, then run again with "
        "--allow-lost-rows if the venue really withdrew them."
    )
