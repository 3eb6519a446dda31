"""Functions for Mastra's own adapter for Convex, `@mastra/convex`."""
