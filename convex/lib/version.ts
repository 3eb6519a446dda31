/** The number of this set of functions: it grows when a client could notice the difference. */
export const FUNCTIONS_VERSION = 2;

/** The number of the format of what is stored. */
export const FORMAT_VERSION = 2;
