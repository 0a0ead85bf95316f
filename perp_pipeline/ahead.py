"""Downloads begun before their table's turn: a run waits for all venues together and not for one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import pandas as pd

from perp_pipeline.graph import Node
from perp_pipeline.months import Span
from perp_pipeline.sources.http import Http

Frames = list[pd.DataFrame]


def frames_of(node: Node, span: Span, http: Http, now: datetime) -> Iterator[pd.DataFrame]:
    """The frames with rows of a raw table, in the order of its datasets, each when it is asked for.

    Raises:
        SourceError: a download failed.
    """
    return (frame for dataset in node.datasets for frame in dataset.fetch(http, span, now) if not frame.empty)


def fetch(node: Node, span: Span, http: Http, now: datetime) -> Frames:
    """All of :func:`frames_of`.

    Raises:
        SourceError: a download failed.
    """
    return list(frames_of(node, span, http, now))


@contextmanager
def fetched_ahead(
    nodes: Sequence[Node], span: Span, http: Http, now: datetime
) -> Iterator[dict[str, Future[Frames]]]:
    """What :func:`fetch` will have returned, or raised, by the table's name.

    Each venue has one thread, which takes the venue's tables in the order given: what a venue is asked, and
    in which order, is as without threads. Tables of a venue that has large ones are left out: those are
    fetched a month at a time. Where the block is left by an exception, downloads under way are given up.
    """
    raw = [node for node in nodes if node.datasets]
    large = {_venue(node) for node in raw if node.contract.large}
    early = [node for node in raw if _venue(node) not in large]
    threads = {
        venue: ThreadPoolExecutor(1, thread_name_prefix=venue) for venue in sorted({*map(_venue, early)})
    }
    try:
        yield {node.name: threads[_venue(node)].submit(fetch, node, span, http, now) for node in early}
    except BaseException:
        for thread in threads.values():
            thread.shutdown(wait=False, cancel_futures=True)
        http.stop()
        raise
    finally:
        for thread in threads.values():
            thread.shutdown(cancel_futures=True)


def _venue(node: Node) -> str:
    return node.datasets[0].venue
