/**
 * Most bytes of one message, all included: what grpc-js, Go and Rust receive by default. A longer one is refused before
 * anything is allocated.
 */
export const messageLimit = 4 * 1024 * 1024;

/** Most bytes of the metadata of a message (schema, or places of the buffers). */
export const metadataLimit = 1024 * 1024;

/** Most columns of a schema. */
export const fieldLimit = 64;

/** Most key–value pairs of a schema or a message. */
export const pairLimit = 256;
