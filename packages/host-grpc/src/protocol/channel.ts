/** Most bytes of one message, in either direction. */
export const messageLimit = 4 * 1024 * 1024;

/** Settings of client and server. A window of one message saves a round trip every 64 KiB, and bounds memory. */
export const channelOptions = {
  "grpc.max_receive_message_length": messageLimit,
  "grpc.max_send_message_length": messageLimit,
  "grpc-node.flow_control_window": messageLimit,
};

/** How soon a dead connection is noticed. */
export interface Keepalive {
  /** Milliseconds between two HTTP/2 pings. */
  readonly timeMs: number;
  /** Milliseconds that the answer to a ping may take; data in the send buffer is delivered before it. */
  readonly timeoutMs: number;
}

/** A slow line that carries a full window of 4 MiB in two minutes still counts as alive. */
export const defaultKeepalive: Keepalive = { timeMs: 60_000, timeoutMs: 120_000 };

/** Milliseconds that a client waits for a connection: for its TLS, and for the first that a server says. */
export const defaultConnectMs = 20_000;

/** Milliseconds that a call waits for a client which neither sends nor reads. */
export const defaultIdleMs = 600_000;

/** Milliseconds between two heartbeats of our own client, whose input may be slow: far less than any idle limit. */
export const heartbeatMs = 20_000;

/** Milliseconds after which a connection without calls is closed; a client opens another by itself. */
export const idleConnectionMs = 300_000;

/** Settings of grpc-js, the same at both ends. */
export const keepaliveOptions = ({ timeMs, timeoutMs }: Keepalive): Record<string, number> => ({
  "grpc.keepalive_time_ms": timeMs,
  "grpc.keepalive_timeout_ms": timeoutMs,
});
