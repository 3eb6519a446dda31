"""Convex's HTTP API and sync WebSocket in front of a backend."""
