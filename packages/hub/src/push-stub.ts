import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { startHubStub } from "./hub-stub.ts";
import type { HubStub } from "./hub-stub.ts";

/** A Hub that can be written to, for one model. */
export interface PushStub extends HubStub {
  /** Whether there is a repository. */
  exists: boolean;
  /** The newest commit. */
  head: string;
  /** What the repository was made as. */
  visibility: string | undefined;
  /** Titles of the commits that were written. */
  readonly titles: string[];
  /** Is called when all is uploaded, right before the commit. */
  beforeCommit: () => void;
}

const send = (response: ServerResponse, status: number, body: object): true => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  return true;
};

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

interface CommitLine {
  readonly key: "header" | "file" | "lfsFile";
  readonly value: { readonly path: string; readonly content: string; readonly oid: string; readonly summary: string };
}

/** Says which files go to the storage. */
const preupload = (response: ServerResponse, body: Buffer): void => {
  const { files } = JSON.parse(body.toString()) as { files: { path: string }[] };
  const modes = files.map(({ path }) => ({ path, uploadMode: path.endsWith(".safetensors") ? "lfs" : "regular" }));
  send(response, 200, { files: modes });
};

/** Answers the requests that write to a stub. */
class PushAnswers {
  readonly #stub: PushStub;
  readonly #name: string;
  readonly #uploads = new Map<string, Buffer>();
  #commits = 0;

  constructor(stub: PushStub, name: string) {
    this.#stub = stub;
    this.#name = name;
    this.#moveHead();
  }

  commit(response: ServerResponse, body: Buffer): void {
    const stub = this.#stub;
    stub.beforeCommit();
    const lines = body.toString().split("\n");
    const changes = lines.map((line) => JSON.parse(line) as CommitLine);
    const header = changes[0]?.value as { summary?: string; parentCommit?: string } | undefined;
    if (header?.parentCommit !== stub.head) {
      send(response, 412, { error: "A commit has happened since. Please refresh and try again." });
      return;
    }
    const next = new Map<string, Uint8Array>();
    for (const { key, value } of changes.slice(1)) {
      const bytes = key === "lfsFile" ? this.#uploads.get(value.oid) : Buffer.from(value.content, "base64");
      if (bytes === undefined) {
        send(response, 400, { error: `${value.path} was not uploaded` });
        return;
      }
      next.set(value.path, bytes);
    }
    this.#moveHead();
    for (const [path, bytes] of next) stub.files.set(path, bytes);
    stub.titles.push(header.summary ?? "");
    const commitUrl = `${stub.url}/${this.#name}/commit/${stub.head}`;
    send(response, 200, { success: true, commitOid: stub.head, commitUrl });
  }

  create(response: ServerResponse, body: Buffer): void {
    const { organization, name: model, visibility } = JSON.parse(body.toString()) as Record<string, string>;
    if (`${organization}/${model}` !== this.#name) {
      send(response, 403, { error: "You don't have the rights to create a model under this namespace" });
      return;
    }
    Object.assign(this.#stub, { exists: true, visibility });
    this.#moveHead();
    this.#stub.files.set(".gitattributes", Buffer.from("*.safetensors filter=lfs\n"));
    send(response, 200, { url: `${this.#stub.url}/${this.#name}`, id: this.#name });
  }

  /** Says where large files are uploaded that the storage does not have. */
  batch(response: ServerResponse, body: Buffer): void {
    const { objects } = JSON.parse(body.toString()) as { objects: { oid: string; size: number }[] };
    const actions = objects.map(({ oid, size }) => ({
      oid,
      size,
      ...(!this.#uploads.has(oid) && { actions: { upload: { href: `${this.#stub.url}/upload/${oid}` } } }),
    }));
    send(response, 200, { transfer: "basic", objects: actions });
  }

  upload(response: ServerResponse, body: Buffer, oid: string): void {
    if (createHash("sha256").update(body).digest("hex") !== oid) {
      send(response, 400, { error: "other bytes" });
      return;
    }
    this.#uploads.set(oid, body);
    send(response, 200, {});
  }

  #moveHead(): void {
    this.#commits += 1;
    this.#stub.head = this.#commits.toString(16).padStart(40, "0");
    this.#stub.moveBranches(this.#stub.head);
  }
}

/**
 * The parts of the Hub's interface that a push needs, beside those of startHubStub. Safetensors files go to its storage, all others
 * into the commit.
 *
 * @param token the only one that may write
 */
export async function startPushStub(name: string, token: string): Promise<PushStub> {
  const stub: PushStub = Object.assign(await startHubStub(name), {
    exists: true,
    head: "",
    visibility: undefined,
    titles: [],
    beforeCommit: () => undefined,
  });
  const answers = new PushAnswers(stub, name);
  const writes: readonly [start: string, answer: (response: ServerResponse, body: Buffer, rest: string) => void][] = [
    ["/api/repos/create", (response, body) => answers.create(response, body)],
    [`/api/models/${name}/preupload/main`, preupload],
    [`/${name}.git/info/lfs/objects/batch`, (response, body) => answers.batch(response, body)],
    [`/api/models/${name}/commit/main`, (response, body) => answers.commit(response, body)],
    ["/upload/", (response, body, oid) => answers.upload(response, body, oid)],
  ];
  stub.answer = (request, response, path) => {
    if (request.method === "GET") return !stub.exists && send(response, 404, { error: "Repository not found" });
    const write = writes.find(([start]) => path.startsWith(start));
    if (write === undefined) return false;
    const [start, answer] = write;
    const { authorization } = request.headers;
    // the storage has its rights in the address, and must not see the token
    const allowed = start === "/upload/" ? authorization === undefined : authorization === `Bearer ${token}`;
    if (!allowed) return send(response, 403, { error: "You have read access but not the required permissions" });
    bodyOf(request).then(
      (body) => answer(response, body, path.slice(start.length)),
      () => response.destroy(),
    );
    return true;
  };
  return stub;
}
