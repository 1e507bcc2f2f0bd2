import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { HubRepository } from "./hub-access.ts";

export interface HubStub {
  readonly url: string;
  /** Requests so far: "GET path" with the range asked for; those of the storage begin with "GET /storage/". */
  readonly requests: string[];
  /** Files by path at the commit that all branches name; large ones are those of .safetensors, .parquet and .gz. */
  readonly files: Map<string, Uint8Array>;
  /** Cut the body of these paths after so many bytes, once each or each time. */
  readonly cuts: Map<string, number>;
  keepsCutting: boolean;
  /** What is sent in place of a file's bytes. */
  readonly forged: Map<string, Uint8Array>;
  /** Statuses that requests whose path contains a text are answered with, one after the other, before all is well again. */
  readonly statuses: Map<string, number[]>;
  /** Only requests with this token are answered; the storage must not see it. */
  token: string | undefined;
  /** Large files are redirected to another server, as the Hub does. */
  redirects: boolean;
  /** Large files are sent as a whole whatever range is asked for. */
  ignoresRanges: boolean;
  /** Files and folders of one page of a listing. */
  pageSize: number;
  /** Answers a request before all others can; false where it has not. */
  answer: (request: IncomingMessage, response: ServerResponse, path: string) => boolean;
  /** Lets all branches name a commit that has `files` from now on; the commits before it keep theirs. */
  moveBranches(commit: string): void;
  close(): Promise<void>;
}

const variables = [
  "HF_HOME",
  "HF_HUB_CACHE",
  "HUGGINGFACE_HUB_CACHE",
  "HF_ENDPOINT",
  "HF_HUB_OFFLINE",
  "HF_TOKEN",
  "HF_TOKEN_PATH",
] as const;

/** The variables of this process that say where the Hub and its cache are, for tests that set their own. */
export interface HubVariables {
  clear(): void;
  /** Puts back what they were when this was made. */
  restore(): void;
}

export function hubVariables(): HubVariables {
  const before = variables.map((name) => [name, process.env[name]] as const);
  return {
    clear() {
      for (const name of variables) delete process.env[name];
      // not the token of the person who runs the tests
      process.env["HF_TOKEN_PATH"] = "/dev/null";
    },
    restore() {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    },
  };
}

/** The first commit. */
export const stubCommit = "0123456789abcdef0123456789abcdef01234567";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const gitHash = (bytes: Uint8Array): string => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
const isLarge = (path: string): boolean => /\.(safetensors|parquet|gz)$/.test(path);

/** The entries of a folder ("" is the top), with those below where it is listed recursively. */
function listing(files: ReadonlyMap<string, Uint8Array>, folder: string, recursive: boolean): object[] {
  const start = folder === "" ? "" : `${folder}/`;
  const folders = new Set<string>();
  const entries: object[] = [];
  for (const [path, bytes] of files) {
    if (!path.startsWith(start)) continue;
    const below = path.slice(start.length).split("/");
    below.slice(0, -1).forEach((_, depth) => folders.add(start + below.slice(0, depth + 1).join("/")));
    if (below.length > 1 && !recursive) continue;
    const lfs = isLarge(path) && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } };
    entries.push({ type: "file", path, size: bytes.length, oid: gitHash(bytes), ...lfs });
  }
  const seen = [...folders].filter((path) => recursive || !path.slice(start.length).includes("/"));
  return [...seen.map((path) => ({ type: "directory", path, size: 0, oid: gitHash(new Uint8Array(0)) })), ...entries];
}

/** "COMMIT/rest/of/it" → commit and the rest. */
const split = (place: string): [commit: string, path: string] => {
  const [commit = "", ...rest] = place.split("/");
  return [commit, rest.join("/")];
};

const send = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
};

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** "GET path", with the range asked for. */
const requestLine = ({ method, headers: { range } }: IncomingMessage, path: string): string =>
  `${method} ${path}${range === undefined ? "" : ` ${range}`}`;

/** The files of a repository at each of its commits. */
class Commits {
  newest = stubCommit;
  readonly #files = new Map<string, ReadonlyMap<string, Uint8Array>>();
  readonly #current: ReadonlyMap<string, Uint8Array>;

  /** @param current the files of the newest commit, which may change */
  constructor(current: ReadonlyMap<string, Uint8Array>) {
    this.#current = current;
    this.#files.set(this.newest, current);
  }

  files(commit: string): ReadonlyMap<string, Uint8Array> | undefined {
    return this.#files.get(commit);
  }

  /** Begins a commit; the one before it keeps its files. */
  begin(commit: string): void {
    this.#files.set(this.newest, new Map(this.#current));
    this.newest = commit;
    this.#files.set(commit, this.#current);
  }
}

/** Answers the requests to a stub and to its storage. */
class StubAnswers {
  readonly #stub: HubStub;
  readonly #commits: Commits;
  readonly #name: string;
  readonly #type: HubRepository["type"];

  constructor(stub: HubStub, commits: Commits, name: string, type: HubRepository["type"]) {
    this.#stub = stub;
    this.#commits = commits;
    this.#name = name;
    this.#type = type;
  }

  storage(request: IncomingMessage, response: ServerResponse): void {
    const url = decodeURIComponent(request.url ?? "");
    const [commit, path] = split(url.replace(/^\/storage\//, ""));
    this.#stub.requests.push(requestLine(request, url));
    const whole = this.#contentOf(commit, path);
    if (request.headers.authorization !== undefined) send(response, 400, { error: "a token came to the storage" });
    else if (whole === undefined) send(response, 404, { error: "Entry not found" });
    else this.#sendBytes(request, response, path, whole);
  }

  hub(request: IncomingMessage, response: ServerResponse, storageUrl: string): void {
    const stub = this.#stub;
    const [rawPath = "", rawQuery] = (request.url ?? "").split("?");
    const path = decodeURIComponent(rawPath);
    stub.requests.push(requestLine(request, path));
    const [, statuses] = [...stub.statuses].find(([part, left]) => path.includes(part) && left.length > 0) ?? [];
    const status = statuses?.shift();
    if (status !== undefined) return send(response, status, { error: "as told" }, { "retry-after": "0" });
    if (stub.answer(request, response, path)) return;
    const { authorization } = request.headers;
    if (stub.token !== undefined && authorization !== `Bearer ${stub.token}`) {
      return send(response, authorization === undefined ? 401 : 403, { error: "Access is restricted" });
    }
    const name = this.#name;
    const api = `/api/${this.#type}s/${name}`;
    const [files, tree] = [`${this.#type === "dataset" ? "/datasets" : ""}/${name}/resolve/`, `${api}/tree/`];
    if (path.startsWith(files)) this.#sendFile(request, response, path.slice(files.length), storageUrl);
    else if (path.startsWith(`${api}/revision/`) && !path.endsWith("/absent"))
      send(response, 200, { _id: "1", id: name, modelId: name, sha: this.#commits.newest });
    else if (path.startsWith(tree)) this.#sendListing(response, path.slice(tree.length), new URLSearchParams(rawQuery));
    else send(response, 404, { error: "Repository not found" });
  }

  #contentOf(commit: string, path: string): Uint8Array | undefined {
    return this.#stub.forged.get(path) ?? this.#commits.files(commit)?.get(path);
  }

  #sendBytes(request: IncomingMessage, response: ServerResponse, path: string, whole: Uint8Array): void {
    const stub = this.#stub;
    const range = stub.ignoresRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Math.min(Number(range[2]) + 1, whole.length) : whole.length;
    if (range && start >= whole.length) return send(response, 416, { error: "Range" });
    const bytes = whole.subarray(start, end);
    const headers = { "content-length": bytes.length, etag: `"${sha256(whole)}"` };
    if (range) response.writeHead(206, { ...headers, "content-range": `bytes ${start}-${end - 1}/${whole.length}` });
    else response.writeHead(200, headers);
    const cut = stub.cuts.get(path);
    if (!stub.keepsCutting) stub.cuts.delete(path);
    if (cut === undefined) response.end(bytes);
    else response.write(bytes.subarray(0, cut), () => setTimeout(() => response.destroy(), 50));
  }

  #sendFile(request: IncomingMessage, response: ServerResponse, place: string, storageUrl: string): void {
    const [commit, path] = split(place);
    const whole = this.#contentOf(commit, path);
    if (whole === undefined) return send(response, 404, { error: "Entry not found" });
    if (!this.#stub.redirects || !isLarge(path)) return this.#sendBytes(request, response, path, whole);
    const listed = this.#commits.files(commit)?.get(path) ?? whole;
    const linked = { "x-linked-etag": `"${sha256(listed)}"`, "x-linked-size": String(listed.length) };
    send(response, 302, {}, { location: `${storageUrl}/storage/${place}`, "x-repo-commit": commit, ...linked });
  }

  #sendListing(response: ServerResponse, place: string, query: URLSearchParams): void {
    const { url, pageSize } = this.#stub;
    const [commit, folder] = split(place);
    const files = this.#commits.files(commit);
    if (files === undefined) return send(response, 404, { error: "Revision not found" });
    const entries = listing(files, folder, query.get("recursive") === "true");
    if (entries.length === 0 && folder !== "") return send(response, 404, { error: "Entry not found" });
    const from = Number(query.get("cursor") ?? 0);
    query.set("cursor", String(from + pageSize));
    const next = `<${url}/api/${this.#type}s/${this.#name}/tree/${place}?${query.toString()}>; rel="next"`;
    const more = from + pageSize < entries.length;
    send(response, 200, entries.slice(from, from + pageSize), more ? { link: next } : {});
  }
}

/** The parts of the Hub's interface that fetching needs, for one repository, on this machine. */
export async function startHubStub(name: string, type: HubRepository["type"] = "model"): Promise<HubStub> {
  const servers: Server[] = [];
  const files = new Map<string, Uint8Array>();
  const commits = new Commits(files);
  const stub: HubStub = {
    url: "",
    requests: [],
    files,
    cuts: new Map(),
    keepsCutting: false,
    forged: new Map(),
    statuses: new Map(),
    token: undefined,
    redirects: false,
    ignoresRanges: false,
    pageSize: 1000,
    answer: () => false,
    moveBranches: (commit) => commits.begin(commit),
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
  const answers = new StubAnswers(stub, commits, name, type);
  const storage = createServer((request, response) => answers.storage(request, response));
  servers.push(storage);
  const storageUrl = await listen(storage);
  const hub = createServer((request, response) => answers.hub(request, response, storageUrl));
  servers.push(hub);
  return Object.assign(stub, { url: await listen(hub) });
}
