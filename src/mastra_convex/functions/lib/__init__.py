"""Helpers shared by the functions; nothing here is registered."""
