export { runRemote } from "./client/run-remote.ts";
export type { RemoteCall } from "./client/run-remote.ts";
export { messageLimit } from "./protocol/channel.ts";
export type { Keepalive } from "./protocol/channel.ts";
export type { ResourceRoots } from "./server/served-resources.ts";
export { serve } from "./server/serve.ts";
export type { RunningServer, ServeOptions } from "./server/serve.ts";
export type { TlsFiles } from "./server/server-tls.ts";
