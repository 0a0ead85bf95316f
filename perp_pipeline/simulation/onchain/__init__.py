"""The on-chain side of the simulated market: AMM pools, who trades in them, and a node that tells.

:mod:`.ticks`, :mod:`.swap_step`, :mod:`.concentrated` and :mod:`.constant_product` are the pools' arithmetic,
in exact integers. :mod:`.deployed` puts a pool at an address and writes its logs, :mod:`.chain` lets traders
and liquidity providers at it, :mod:`.truth` reads profit from the pools' state, :mod:`.node` speaks JSON-RPC.
"""
