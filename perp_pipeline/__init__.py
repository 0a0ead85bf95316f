"""Funding rates, basis and LP profit, from primary sources to claims with verdicts."""
