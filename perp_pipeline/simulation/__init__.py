"""A simulated market that answers in every venue's wire format, with known truth.

    market = SimulatedMarket(seed=1, first_month=Month(2019, 9), last_month=Month(2022, 6))   # .market
    http = Http(store, transport=SimulatedTransport(market))                                  # .transport
    archives = simulated_archives(market)                                                     # .transport
    market.truth.perp("binance", "BTCUSDT").mean_annual                                       # .truth

Prices are geometric Brownian motions, premiums are Gaussian and look back on returns, and each venue maps its
window premium to a rate by its own rule. Nothing is fitted to real history: the market is for tests and for a first look.
"""
