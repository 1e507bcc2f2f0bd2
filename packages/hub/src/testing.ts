import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubStub {
  readonly url: string;
  /** Requests so far: "GET path" with the range asked for. */
  readonly requests: string[];
  /** Files by path; large ones are those of .safetensors. */
  readonly files: Map<string, Uint8Array>;
  /** Cut the body of these paths after so many bytes, once each. */
  readonly cuts: Map<string, number>;
  /** What is sent in place of a file's bytes. */
  readonly forged: Map<string, Uint8Array>;
  close(): Promise<void>;
}

export const stubCommit = "0123456789abcdef0123456789abcdef01234567";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const gitHash = (bytes: Uint8Array): string => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

function listing(files: ReadonlyMap<string, Uint8Array>): object[] {
  return [...files].map(([path, bytes]) => ({
    type: "file",
    path,
    size: bytes.length,
    oid: gitHash(bytes),
    ...(path.endsWith(".safetensors") && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } }),
  }));
}

const send = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

/** The parts of the Hub's interface that fetching a model needs, for one model, on this machine. */
export async function startHubStub(name: string): Promise<HubStub> {
  const state = {
    requests: [] as string[],
    files: new Map<string, Uint8Array>(),
    cuts: new Map<string, number>(),
    forged: new Map<string, Uint8Array>(),
  };
  const sendFile = (request: IncomingMessage, response: ServerResponse, path: string): void => {
    const whole = state.forged.get(path) ?? state.files.get(path);
    if (whole === undefined) return send(response, 404, { error: "Entry not found" });
    const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const bytes = whole.subarray(offset);
    response.writeHead(offset > 0 ? 206 : 200, { "content-length": bytes.length });
    const cut = state.cuts.get(path);
    state.cuts.delete(path);
    if (cut === undefined) response.end(bytes);
    else response.write(bytes.subarray(0, cut), () => setTimeout(() => response.destroy(), 50));
  };
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "").split("?")[0] ?? "");
    state.requests.push(`GET ${path}${request.headers.range === undefined ? "" : ` ${request.headers.range}`}`);
    const [api, files] = [`/api/models/${name}`, `/${name}/resolve/${stubCommit}/`];
    if (path.startsWith(files)) sendFile(request, response, path.slice(files.length));
    else if (path === `${api}/revision/main` || path === `${api}/revision/${stubCommit}`)
      send(response, 200, { _id: "1", id: name, modelId: name, sha: stubCommit });
    else if (path === `${api}/tree/${stubCommit}`) send(response, 200, listing(state.files));
    else send(response, 404, { error: "Repository not found" });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
