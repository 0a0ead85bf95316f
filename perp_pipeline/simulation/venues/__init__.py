"""The simulated market in each venue's own form: one module per host."""
