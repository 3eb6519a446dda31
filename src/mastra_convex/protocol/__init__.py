"""Convex's wire, without I/O: text in, messages out."""
