import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:http";
import { systemError } from "@mbs/artifacts";
import type { BoardOptions as BullBoardOptions } from "@bull-board/api/dist/types.js";
import { connectQueue, scanKeys } from "./queue-connection.ts";
import type { QueuePlace } from "./queue-connection.ts";
import { bullPrefix, isQueueName } from "./queue-names.ts";

export interface BoardOptions extends QueuePlace {
  /** On loopback; 0 takes a free one. */
  readonly port: number;
  /** What a reader has to know. */
  readonly token: string;
  readonly warn: (message: string) => void;
}

/** A page that shows a queue's jobs, until it is closed. */
export interface Board {
  /** "http://127.0.0.1:8816" */
  readonly url: string;
  close(): Promise<void>;
}

/** Milliseconds after which queues are looked for again. */
const lookMs = 2000;

/** The page loads nothing from elsewhere: without this it asks another server for its letters. */
const policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** The secret of a header: "Bearer TOKEN", or the password of "Basic …", which browsers ask for; "" where there is none. */
function givenToken(header: string | undefined): string {
  const [, scheme = "", value = ""] = /^(bearer|basic) +(\S+)$/i.exec(header ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return value;
  const [, ...password] = Buffer.from(value, "base64").toString().split(":");
  return password.join(":");
}

/**
 * Serves the BullMQ board of all queues of a server on loopback, behind a token. It only shows: nothing can be changed by it.
 *
 * @throws as connectQueue; {InputOutputError} where the port is taken
 */
export async function openBoard({ port, token, warn, ...place }: BoardOptions): Promise<Board> {
  const [{ Queue }, { createBullBoard }, { BullMQAdapter }, { HonoAdapter }, { Hono }, { serve }, { serveStatic }] =
    await Promise.all([
      import("bullmq"),
      import("@bull-board/api"),
      import("@bull-board/api/bullMQAdapter"),
      import("@bull-board/hono"),
      import("hono"),
      import("@hono/node-server"),
      import("@hono/node-server/serve-static"),
    ]);
  const connection = await connectQueue(place, warn);
  const options: BullBoardOptions = { uiConfig: { boardTitle: "mbs" } };
  const serverAdapter = new HonoAdapter(serveStatic);
  const board = createBullBoard({ queues: [], serverAdapter, options });
  const adapters = new Map<string, InstanceType<typeof BullMQAdapter>>();
  let looked = -Infinity;

  /** Runs have queues of their own for classes, labels and workers, which come and go. */
  const lookForQueues = async (): Promise<void> => {
    if (performance.now() - looked < lookMs) return;
    looked = performance.now();
    const found = new Set<string>();
    for await (const keys of scanKeys(connection.redis, `${bullPrefix}:*:meta`)) {
      const names = keys.map((key) => key.slice(bullPrefix.length + 1, -":meta".length));
      // others may write to the same server, and a queue of another name cannot be opened
      for (const name of names) if (isQueueName(name)) found.add(name);
    }
    for (const name of adapters.keys()) if (!found.has(name)) adapters.delete(name);
    for (const name of [...found].toSorted()) {
      if (adapters.has(name)) continue;
      const queue = new Queue(name, {
        connection: connection.redis,
        prefix: bullPrefix,
        skipVersionCheck: true,
        skipMetasUpdate: true,
      });
      // the connection itself tells what is wrong
      queue.on("error", () => undefined);
      adapters.set(name, new BullMQAdapter(queue, { readOnlyMode: true }));
    }
    board.replaceQueues([...adapters.values()]);
  };

  const expected = digest(token);
  const app = new Hono();
  app.use(async (context, next) => {
    // digests have one length, so the time says nothing of the token
    if (!timingSafeEqual(digest(givenToken(context.req.header("authorization"))), expected)) {
      return context.text("the token is missing or wrong\n", 401, { "www-authenticate": 'Basic realm="mbs board"' });
    }
    if (context.req.method !== "GET" && context.req.method !== "HEAD") return context.text("this board only shows\n", 405);
    await lookForQueues();
    await next();
    context.header("content-security-policy", policy);
    return undefined;
  });
  app.route("/", serverAdapter.setBasePath("/").registerPlugin());

  const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }) as Server;
  try {
    await once(server, "listening");
  } catch (cause) {
    connection.close();
    throw systemError(cause, "listen", `127.0.0.1:${port}`);
  }
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      connection.close();
    },
  };
}
