/** Most bytes of one message, in either direction. */
export const messageLimit = 4 * 1024 * 1024;

/** Settings of both ends. A window of one message saves a round trip every 64 KiB, and bounds what lies in memory. */
export const channelOptions = {
  "grpc.max_receive_message_length": messageLimit,
  "grpc.max_send_message_length": messageLimit,
  "grpc-node.flow_control_window": messageLimit,
};

/** How soon a connection whose other end is gone, or stopped, is noticed. */
export interface Keepalive {
  /** Milliseconds between two questions whether the other end is there (a ping of HTTP/2). */
  readonly timeMs: number;
  /** Milliseconds that an answer may take; data that is on its way goes before it. */
  readonly timeoutMs: number;
}

/** A line that carries one full window, 4 MiB, in two minutes is not taken for dead. */
export const defaultKeepalive: Keepalive = { timeMs: 60_000, timeoutMs: 120_000 };

/** Milliseconds that a call waits for a client which neither sends nor reads. */
export const defaultIdleMs = 600_000;

/** Milliseconds between two signs of life of our own client, whose input may be slow: far less than any idle limit. */
export const signOfLifeMs = 20_000;

/** Milliseconds after which a connection without calls is closed; a client opens another by itself. */
export const idleConnectionMs = 300_000;

/** Settings of grpc-js, the same at both ends. */
export const keepaliveOptions = ({ timeMs, timeoutMs }: Keepalive): Record<string, number> => ({
  "grpc.keepalive_time_ms": timeMs,
  "grpc.keepalive_timeout_ms": timeoutMs,
});
