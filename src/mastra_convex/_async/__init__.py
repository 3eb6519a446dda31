"""The `async` client. `_sync/` is generated from it: run `scripts/unasync`."""
