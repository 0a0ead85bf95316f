"""Small calculators of the theory that the essays argue from. They read no data."""
