"""Conversations kept elsewhere, turned into Mastra records.

`reading` streams records from a file, `openai_chat` converts one record; `convex_snapshot` streams
the tables of an export of Convex, `mastra_rows` converts one row. None touches a store.
"""
