"""Convex values: exact payload text and validators. No storage, no wire."""
