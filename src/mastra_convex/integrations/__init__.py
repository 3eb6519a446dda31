"""Frameworks and tools that write into a storage, one file each; they use public names."""
