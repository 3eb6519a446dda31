"""A user's Convex project: what `mastra-convex init` puts into it, and how."""
