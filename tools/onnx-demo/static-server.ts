import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";

const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Serves a folder on the loopback interface. @param port 0 for any that is free */
export async function serveFolder(folder: string, port: number): Promise<{ readonly address: string; readonly server: Server }> {
  const root = resolve(folder);
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      const path = resolve(join(root, decodeURIComponent(pathname === "/" ? "/index.html" : pathname)));
      const found = path.startsWith(root + sep) ? await stat(path).catch(() => undefined) : undefined;
      if (found?.isFile() !== true) {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, {
        "content-type": types[extname(path)] ?? "application/octet-stream",
        "content-length": found.size,
        // with these two a page may use threads
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
      });
      await pipeline(createReadStream(path), response);
    };
    answer().catch(() => response.destroy());
  });
  await new Promise<void>((settle) => server.listen(port, "127.0.0.1", settle));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
}
