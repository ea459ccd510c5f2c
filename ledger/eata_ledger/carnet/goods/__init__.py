"""Items, and where they are: balances, what must leave by when, sets, transits."""
