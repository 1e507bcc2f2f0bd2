import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A wire between client and server that can be cut so that neither is told. */
export interface Proxy {
  readonly port: number;
  /** From now on nothing passes, and no connection ends. */
  freeze(): void;
  close(): Promise<void>;
}

/** Starts a proxy on loopback to a port there. */
export async function startProxy(target: number): Promise<Proxy> {
  const sockets: Socket[] = [];
  let frozen = false;
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    const outer = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.push(from);
      from.on("data", (chunk) => {
        if (!frozen) to.write(chunk);
      });
      from.on("end", () => {
        if (!frozen) to.end();
      });
      from.on("error", () => undefined);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => void (frozen = true),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
