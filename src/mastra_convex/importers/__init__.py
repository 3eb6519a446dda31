"""Conversations kept elsewhere, turned into Mastra records.

`reading` streams records from a file, `openai_chat` converts one record. Neither touches a store.
"""
