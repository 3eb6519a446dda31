"""A reactive document store on SQLite. It knows tables, indexes and functions, and no entity."""
