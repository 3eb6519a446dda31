"""Reads that may take several calls: pages by number, "all", filters that no index serves.

Each is a generator that yields calls `(path, arguments)`, is sent their results, and returns
models. It does no I/O, so one text serves the blocking client, the `async` one and subscriptions.
"""
