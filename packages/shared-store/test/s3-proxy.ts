import { Agent, createServer, request as send } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/**
 * What goes wrong with one request:
 * - an error of the server: its status and code, and the request is not passed on
 * - "stall": neither an answer nor an end
 * - "cut-request": the connection breaks when half of the body has been passed on
 * - "cut-answer": the connection breaks after half of the answer's body, after a pause
 * - "stall-answer": half of the answer's body, then nothing
 * - "lost-answer": the request is done, and the connection breaks before the answer
 * - "flip-request", "flip-answer": one bit of the body is another
 * - "tear-request": only half of the body is passed on, as if it were all
 * - "whole-answer": the range that is asked for is ignored
 */
export type Fault =
  | { readonly status: number; readonly code: string }
  | "stall"
  | "cut-request"
  | "cut-answer"
  | "stall-answer"
  | "lost-answer"
  | "flip-request"
  | "flip-answer"
  | "tear-request"
  | "whole-answer";

/** A request as a fault is chosen by. */
export interface Seen {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** How a server answers `If-None-Match: *` of a put. */
export type Conditions = "ignored" | "known" | "not implemented";

export interface S3Proxy {
  readonly url: string;
  readonly seen: Seen[];
  conditions: Conditions;
  /** Chooses what goes wrong; undefined for nothing. */
  fault: (request: Seen) => Fault | undefined;
  close(): Promise<void>;
}

const errorText = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`;

const refuse = (response: ServerResponse, status: number, code: string, method: string): void => {
  const text = method === "HEAD" ? "" : errorText(code);
  response.writeHead(status, { "content-type": "application/xml", "content-length": Buffer.byteLength(text) }).end(text);
};

const flip = (bytes: Buffer): Buffer => {
  const changed = Buffer.from(bytes);
  const at = Math.floor(changed.length / 2);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
};

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Multipart uploads that have begun and not ended. */
type Uploads = Map<string, { readonly key: string; readonly since: Date }>;

const listOfUploads = (uploads: Uploads): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${[...uploads]
    .map(
      ([id, { key, since }]) =>
        `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${since.toISOString()}</Initiated></Upload>`,
    )
    .join("")}</ListMultipartUploadsResult>`;

/**
 * A proxy before an S3 server that adds what the server lacks (conditional puts, puts that are whole or not at all, unfinished
 * uploads) and what goes wrong between here and there.
 */
export async function startProxy(port: number): Promise<S3Proxy> {
  const agent = new Agent({ keepAlive: true });
  const there = new Set<string>();
  const uploads: Uploads = new Map();
  /** The last request for each path: the server writes objects in place, so one waits for the other. */
  const turns = new Map<string, Promise<unknown>>();

  const forward = ({ method, url, headers }: Seen, body: Buffer, cutAt?: number): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const passed = send({ port, host: "127.0.0.1", method, path: url, headers, agent }, (answer) => {
        buffer(answer).then((bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }), reject);
      });
      passed.on("error", reject);
      if (cutAt === undefined) passed.end(body);
      else passed.write(body.subarray(0, cutAt), () => setTimeout(() => passed.destroy(), 20));
    });

  /** Keeps in mind what is there. */
  const note = ({ method, url }: Seen, { status, body }: Answer): void => {
    if (status >= 300) return;
    const [path = "", query = ""] = url.split("?");
    const id = /(?:^|&)uploadId=([^&]+)/.exec(query)?.[1];
    if (method === "PUT" && id === undefined) there.add(path);
    if (method === "DELETE" && id === undefined) there.delete(path);
    if (method === "POST" && id !== undefined) {
      there.add(path);
      uploads.delete(decodeURIComponent(id));
    }
    const made = /<UploadId>([^<]+)<\/UploadId>/.exec(body.toString("latin1"))?.[1];
    if (method === "POST" && made !== undefined)
      uploads.set(made, { key: decodeURIComponent(path.split("/").slice(2).join("/")), since: new Date() });
  };

  const answer = async (request: Seen, body: Buffer, response: ServerResponse): Promise<void> => {
    const { method, url, headers } = request;
    const [path = "", query = ""] = url.split("?");
    const fault = proxy.fault(request);
    if (typeof fault === "object") return refuse(response, fault.status, fault.code, method);
    if (fault === "stall") return;
    const id = /(?:^|&)uploadId=([^&]+)/.exec(query)?.[1];
    if (headers["if-none-match"] === "*" && proxy.conditions !== "ignored") {
      if (proxy.conditions === "not implemented") return refuse(response, 501, "NotImplemented", method);
      if (there.has(path)) return refuse(response, 412, "PreconditionFailed", method);
    }
    if (method === "GET" && /(?:^|&)uploads(?:[=&]|$)/.test(query)) {
      response.writeHead(200, { "content-type": "application/xml" }).end(listOfUploads(uploads));
      return;
    }
    if (method === "DELETE" && id !== undefined) {
      uploads.delete(decodeURIComponent(id));
      response.writeHead(204).end();
      return;
    }
    if (fault === "cut-request") {
      await forward(request, body, Math.floor(body.length / 2)).catch(() => undefined);
      response.destroy();
      return;
    }
    const changed = fault === "flip-request" ? flip(body) : fault === "tear-request" ? body.subarray(0, body.length / 2) : body;
    const { range, ...others } = headers;
    const passed = {
      ...request,
      headers: {
        ...others,
        ...(range !== undefined && fault !== "whole-answer" && { range }),
        ...(body.length > 0 && { "content-length": String(changed.length) }),
      },
    };
    const got = await forward(passed, changed);
    note(request, got);
    if (fault === "lost-answer") return void response.destroy();
    const bytes = fault === "flip-answer" ? flip(got.body) : got.body;
    const half = fault === "cut-answer" || fault === "stall-answer";
    response.writeHead(got.status, got.headers);
    if (!half) return void response.end(bytes);
    response.write(bytes.subarray(0, bytes.length / 2), () => {
      if (fault === "cut-answer") setTimeout(() => response.destroy(), 20);
    });
  };

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url = "", headers } = incoming;
    const body = await buffer(incoming);
    const request = { method, url, headers };
    proxy.seen.push(request);
    const [path = ""] = url.split("?");
    const turn = (turns.get(path) ?? Promise.resolve()).then(() => answer(request, body, response));
    turns.set(
      path,
      turn.catch(() => undefined),
    );
    await turn;
  };

  const server: Server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: S3Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    conditions: "ignored",
    fault: () => undefined,
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
