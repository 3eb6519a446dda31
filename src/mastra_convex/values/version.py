"""The number of this set of functions; the twin of `convex/lib/version.ts`.

It is here and not beside the functions, so that a client of a deployment need not load them.
"""

# It grows with a change that a client must know of: a function that is new, takes other arguments,
# or answers differently. A client can tell by it what the functions that were deployed can do.
FUNCTIONS_VERSION = 2
