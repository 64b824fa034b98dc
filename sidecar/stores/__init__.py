"""Where rows are kept: one module a kind of state store, behind the protocol in `rows`."""
