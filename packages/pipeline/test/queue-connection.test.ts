import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { DeniedError, InterruptedError, TryAgainError, UsageError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeAuthority, makeCertificate } from "../../../tools/test/certificates.ts";
import { connectQueue } from "../src/run/queue/queue-connection.ts";
import type { QueueConnection, QueuePlace } from "../src/run/queue/queue-connection.ts";
import { hasRedis, RedisServer } from "./fixtures/redis-server.ts";
import { failure } from "./fixtures/run-fakes.ts";

const queue = suite("queue connection");

/** Connects, and is stopped by nothing else where a test gives no signal. */
const open = (
  place: Partial<QueuePlace> & Pick<QueuePlace, "url">,
  { warn = () => undefined, signal = new AbortController().signal }: { warn?: (line: string) => void; signal?: AbortSignal } = {},
): Promise<QueueConnection> => connectQueue({ version: "1.2.3", ...place }, warn, signal);

async function isWaitedFor(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-queue-connection-"));
  const redis = await RedisServer.start(folder);
  let count = 0;
  // the first connection asks whether the server is there; those after it are closed, then let through again
  const proxy = createServer((socket) => {
    count += 1;
    socket.on("error", () => undefined);
    if (count > 1 && count < 4) return void socket.destroy();
    const server = connect(redis.port, "127.0.0.1");
    server.on("error", () => undefined);
    socket.on("close", () => server.destroy());
    socket.pipe(server).pipe(socket);
  }).listen(0, "127.0.0.1");
  try {
    await once(proxy, "listening");
    const address = proxy.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const said: string[] = [];
    const connection = await open({ url: `redis://127.0.0.1:${port}` }, { warn: (line) => void said.push(line) });
    count = 1;
    const heard = new Promise<string>(
      (resolve) => void connection.subscribe("channel", resolve).then(() => connection.redis.publish("channel", "news")),
    );
    assert.is(await heard, "news");
    assert.match(said.join("\n"), /is away .*; waiting for it\n.* is back/);
    connection.close();
  } finally {
    proxy.close();
    await redis.kill();
    await rm(folder, { recursive: true });
  }
}

async function isNotTaken(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-queue-connection-"));
  const redis = await RedisServer.start(folder);
  const takes = (): Promise<unknown> => failure(open({ url: redis.url }).then((connection) => connection.close()));
  try {
    assert.is(await takes(), undefined);
    for (const [code, words, end] of [
      ["OOM", ["config", "set", "maxmemory", "1"], ["config", "set", "maxmemory", "0"]],
      ["NOREPLICAS", ["config", "set", "min-replicas-to-write", "1"], ["config", "set", "min-replicas-to-write", "0"]],
      ["READONLY", ["replicaof", "127.0.0.1", "1"], ["replicaof", "no", "one"]],
    ] as const) {
      const call = ([command, ...more]: readonly [string, ...string[]]): Promise<unknown> =>
        redis.use((admin) => admin.call(command, ...more));
      await call(words);
      const said = await takes();
      assert.instance(said, TryAgainError);
      assert.match(
        String(said),
        new RegExp(`redis:\\S+ refuses a command of the queue: ${code} .*[^.]; look at the server, then run again$`),
      );
      await call(end);
    }
  } finally {
    await redis.kill();
    await rm(folder, { recursive: true });
  }
}

async function isFull(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-queue-connection-"));
  const redis = await RedisServer.start(folder);
  try {
    await redis.use(async (admin) => {
      await admin.config("SET", "maxclients", "1");
      const said = await failure(open({ url: redis.url }));
      assert.instance(said, TryAgainError);
      assert.match(
        String(said),
        /redis:\S+ has as many clients as it takes; raise maxclients there, or end some of them, then run again$/,
      );
    });
  } finally {
    await redis.kill();
    await rm(folder, { recursive: true });
  }
}

/** What connecting to a server says that answers each connection and ends it. @param isLast whether it is gone after the first */
async function refusedBy(answer: string, isLast = false): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(answer);
    if (isLast) server.close();
  }).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return await failure(open({ url: `redis://127.0.0.1:${port}` }));
  } finally {
    server.close();
  }
}

queue("a server that closes each connection, or is in protected mode, gives one line with the remedy", async () => {
  const said = await refusedBy("-DENIED Redis is running in protected mode because protected mode is enabled\r\n");
  assert.instance(said, DeniedError);
  assert.match(
    String(said),
    /closes the connection(, since it is in protected mode)?: Redis takes other machines only with a password; set requirepass/,
  );
  const silent = await refusedBy("");
  assert.instance(silent, DeniedError);
  assert.match(String(silent), /redis:\S+ closes the connection: .* by --queue-password-file$/);
  const ending = await refusedBy("", true);
  assert.instance(ending, TryAgainError, "a server that ends while it is asked");
  assert.match(String(ending), /^TryAgainError: no Redis answers at /);
});

queue("a server that takes connections and says nothing ends with one line, and is not waited for once stopped", async () => {
  const taken: Socket[] = [];
  const server = createServer((socket) => void taken.push(socket)).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const stopping = new AbortController();
    const stopped = failure(open({ url }, { signal: stopping.signal }));
    await once(server, "connection");
    stopping.abort();
    assert.instance(await stopped, InterruptedError);
    const said = await failure(open({ url }));
    assert.instance(said, TryAgainError);
    assert.match(
      String(said),
      /no Redis answers at redis:\S+ \(connected, but without an answer for 10 s\); start it, or correct/,
    );
  } finally {
    for (const socket of taken) socket.destroy();
    server.close();
  }
});

queue("a certificate that is not to be trusted gives the remedy for its fault", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-queue-connection-"));
  const authority = await makeAuthority("test");
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, authority.cert);
  try {
    for (const [certificate, file, said] of [
      [{}, undefined, /its certificate is signed by no authority .*; give the certificate of its authority by --queue-ca$/],
      [{ from: -20, to: -10 }, caFile, /its certificate has expired; renew it on the server \(tls-cert-file\)$/],
      [{ from: 10, to: 20 }, caFile, /its certificate is not valid yet; compare the clocks of the two machines$/],
      [{ ip: "192.0.2.1" }, caFile, /its certificate is for another name; give --queue the name that is in it/],
    ] as const) {
      const { cert, private: key } = await makeCertificate(authority, certificate);
      const server = createTlsServer({ cert, key }).on("tlsClientError", () => undefined);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const error = await failure(open({ url: `rediss://127.0.0.1:${port}`, caFile: file }));
      server.close();
      assert.instance(error, DeniedError);
      assert.match(String(error), said);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

queue("a user in --queue that is no escaped text is refused without being quoted", async () => {
  const said = await failure(open({ url: "redis://50%off@127.0.0.1" }));
  assert.instance(said, UsageError);
  assert.is((said as Error).message, "--queue has a user with a % that begins no escape; write %25 for it");
});

const tests = {
  "a server that goes away just after it has answered is waited for": isWaitedFor,
  "a server that refuses what is written is not taken, and its reason is said": isNotTaken,
  "a server that has as many clients as it takes says so": isFull,
};
for (const [name, run] of Object.entries(tests)) {
  if (hasRedis) queue(name, run);
  else queue.skip(name, run);
}

queue.run();
