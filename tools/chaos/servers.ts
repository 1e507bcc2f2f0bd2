import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../packages/pipeline/test/fixtures/free-port.ts";
import { hasTls, makeCertificates, tlsFlags } from "../../packages/pipeline/test/fixtures/redis-server.ts";
import type { Certificates } from "../../packages/pipeline/test/fixtures/redis-server.ts";
import { s3Environment } from "../../packages/shared-store/test/s3-environment.ts";
import { kill, start } from "./processes.ts";
import type { Marked } from "./processes.ts";

const bucket = "artifacts";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Writes a new secret, such as a queue's key, to a file that no other user reads. @returns the secret */
export async function writeSecret(path: string): Promise<string> {
  const secret = randomBytes(32).toString("hex");
  await writeFile(path, `${secret}\n`, { mode: 0o600 });
  return secret;
}

/** Removes what is in a folder, which may not be there. */
export async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) await rm(join(folder, name), { recursive: true, force: true });
}

/** Sends a line to a server and gives the first bytes of its answer; undefined where none comes. */
function ask(port: number, text: string): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.setTimeout(1000, () => socket.destroy());
    socket.once("data", (data) => {
      done(data.toString());
      socket.destroy();
    });
    socket.once("error", () => undefined);
    socket.once("close", () => done(undefined));
  });
}

/** A server in a process of its own that is killed, stalled, and started again on the same port and folder. */
export abstract class Server {
  readonly folder: string;
  readonly port: number;
  #process: Marked | undefined;

  constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  protected abstract launch(): Marked;
  /** Whether it answers as it should. */
  protected abstract answers(): Promise<boolean>;
  /** Removes what it has while it is down. */
  abstract empty(): Promise<void>;

  async start(): Promise<void> {
    const server = this.launch();
    this.#process = server;
    for (let isUp = false; !isUp; isUp = await this.answers()) {
      if (server.child.exitCode !== null || server.child.signalCode !== null)
        throw new Error(`a server ended by itself: ${server.said()}`);
      await wait(20);
    }
  }

  /** Stops it for some time as a network does that stalls: connections stay open and nothing comes. */
  async stall(milliseconds: number): Promise<void> {
    const { pid } = this.#process ?? { pid: 0 };
    if (pid === 0 || !kill(pid, "SIGSTOP")) return;
    await wait(milliseconds);
    kill(pid, "SIGCONT");
  }

  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined) return;
    kill(server.pid);
    await server.ended;
  }
}

/** Where a Redis server takes TLS. */
interface TlsPlace {
  readonly port: number;
  readonly certificates: Certificates;
}

class Redis extends Server {
  readonly #tls: TlsPlace | undefined;

  constructor(folder: string, port: number, tls?: TlsPlace) {
    super(folder, port);
    this.#tls = tls;
  }

  /** Where runs and workers meet: with TLS if it has that. `port` is without, for what is asked here. */
  get place(): { readonly url: string; readonly caFile?: string } {
    if (this.#tls === undefined) return { url: `redis://127.0.0.1:${this.port}` };
    return { url: `rediss://127.0.0.1:${this.#tls.port}`, caFile: this.#tls.certificates.ca };
  }

  protected launch(): Marked {
    const words = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder, "--appendonly", "yes", "--save", ""];
    const tls = this.#tls === undefined ? [] : tlsFlags(this.#tls.port, this.#tls.certificates);
    return start(["redis-server", ...words, ...tls]);
  }

  protected async answers(): Promise<boolean> {
    return (await ask(this.port, "PING\r\n"))?.startsWith("+PONG") === true;
  }

  async empty(): Promise<void> {
    await emptyFolder(this.folder);
  }

  /** Loses all it has while it goes on. @returns whether it did */
  async flush(): Promise<boolean> {
    return (await ask(this.port, "FLUSHALL\r\n"))?.startsWith("+OK") === true;
  }
}

class S3 extends Server {
  /** This server keeps three files for an object. One that a kill has left empty fails every list, which no real server does. */
  override async start(): Promise<void> {
    const suffix = "_S3rver_metadata.json";
    const names = await readdir(this.folder, { recursive: true });
    for (const name of names.filter((file) => file.endsWith(suffix))) {
      const path = join(this.folder, name);
      if (isJson(await readFile(path, "utf8"))) continue;
      const object = `${path.slice(0, -suffix.length)}_S3rver_object`;
      for (const file of [path, object, `${object}.md5`]) await rm(file, { force: true });
    }
    await super.start();
  }

  protected launch(): Marked {
    const script = fileURLToPath(new URL("../../packages/shared-store/test/s3-server-child.ts", import.meta.url));
    return start([process.execPath, "--import", "tsx", script, this.folder, bucket, "127.0.0.1", String(this.port)]);
  }

  protected async answers(): Promise<boolean> {
    return (await ask(this.port, "GET / HTTP/1.0\r\n\r\n")) !== undefined;
  }

  async empty(): Promise<void> {
    await emptyFolder(join(this.folder, bucket));
  }
}

export type { Redis, S3 };

/** A Redis server that writes down every command, with TLS where this machine's speaks it; certificates are made beside its folder. */
export async function redisServer(folder: string): Promise<Redis> {
  await mkdir(folder, { recursive: true });
  const tls = hasTls ? { port: await freePort(), certificates: makeCertificates(dirname(folder), "redis") } : undefined;
  return new Redis(folder, await freePort(), tls);
}

/** An S3 server on a folder; `place` is a store on it, and `environment` has what the SDK needs. */
export async function s3Server(folder: string): Promise<{ server: S3; place: string; environment: NodeJS.ProcessEnv }> {
  await mkdir(folder, { recursive: true });
  const server = new S3(folder, await freePort());
  return {
    server,
    place: `s3://${bucket}/runs`,
    environment: s3Environment(`http://127.0.0.1:${server.port}`),
  };
}
