export { runRemote } from "./run-remote.ts";
export type { RemoteCall } from "./run-remote.ts";
export type { Keepalive } from "./timing.ts";
export type { ResourceRoots } from "./resources.ts";
export { messageLimit, serve } from "./serve.ts";
export type { RunningServer, ServeOptions } from "./serve.ts";
