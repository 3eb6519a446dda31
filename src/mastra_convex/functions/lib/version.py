"""The number of this set of functions."""

# It grows with a change that a client must know of: a function that is new, takes other arguments,
# or answers differently. A client can tell by it what the functions that were deployed can do.
FUNCTIONS_VERSION = 2
