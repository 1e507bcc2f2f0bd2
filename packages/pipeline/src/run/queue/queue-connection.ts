import { connect, isIP } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parseCertificate, readFirstLine, readGiven } from "@mbs/artifacts";
import { DeniedError, FailedPreconditionError, InterruptedError, UsageError } from "@mbs/contracts";
import type { Redis, RedisOptions } from "ioredis";
import { circleOf, keys } from "./queue-names.ts";
import { loadIoredis } from "./queue-packages.ts";
import { QueueSeal } from "./queue-seal.ts";
import { closed, connectionError, orRefusal } from "./server-faults.ts";

/** Where a queue is, as a user gives it. */
export interface QueuePlace {
  /** redis://[USER@]HOST[:PORT][/DATABASE], or rediss:// for TLS. A password in it is refused: every user of the machine sees it. */
  readonly url: string;
  /** File whose first line is the password. */
  readonly passwordFile?: string | undefined;
  /** File with the certificate of your own authority, PEM. */
  readonly caFile?: string | undefined;
  /** File whose first line is a key that run and workers share: they sign what they say with it. Absent: they take what anyone says. */
  readonly keyFile?: string | undefined;
  /** Of the program: run and workers must have the same one. */
  readonly version: string;
}

/** A connection that comes back by itself when the server does. */
export interface QueueConnection {
  /** For messages: "redis://host:6379". */
  readonly place: string;
  readonly redis: Redis;
  /** Signs what is said here, and checks it. */
  readonly seal: QueueSeal;
  /** Version of the program. */
  readonly version: string;
  /** Part of the names of queues: that of the version and of the key. */
  readonly circle: string;
  /** Calls with every message of a channel; what is sent while the server is away is missed. */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<void>;
  close(): void;
}

/** Milliseconds until a server must be connected, and until it must have answered at first. */
const connectMs = 10_000;
/** Milliseconds after which a command without an answer breaks the connection, which is then made again. */
const answerMs = 30_000;

/** Milliseconds until a server is asked again that has closed its connection without a word. */
const closedMs = 1000;

const usage = "a queue is redis://HOST[:PORT][/DATABASE], or rediss:// for TLS";

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`--queue takes the address of a Redis server: ${usage}`);
  }
  if (url.password !== "") {
    throw new UsageError(
      "--queue has a password in it, which every user of this machine sees; put it into a file and give that by --queue-password-file",
    );
  }
  const isPlain = url.search === "" && url.hash === "" && /^(\/\d{0,4})?$/.test(url.pathname);
  if ((url.protocol === "redis:" || url.protocol === "rediss:") && url.hostname !== "" && isPlain) return url;
  throw new UsageError(`--queue takes the address of a Redis server: ${usage}`);
}

/** @throws {UsageError} that does not quote the user: it may be a password in the wrong place */
function userOf({ username }: URL): string {
  try {
    return decodeURIComponent(username);
  } catch {
    throw new UsageError("--queue has a user with a % that begins no escape; write %25 for it");
  }
}

/** Rejects as soon as the signal fires, whatever the promise does: a server that is away answers nothing. */
export async function orStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined);
  if (signal.aborted) throw new InterruptedError("stopped");
  const over = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new InterruptedError("stopped")), { once: true, signal: over.signal });
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    over.abort();
  }
}

/** What a server answers; undefined where the signal fires before. */
export const unlessStopped = <T>(answer: Promise<T>, signal: AbortSignal): Promise<T | undefined> =>
  orStopped(answer, signal).catch((thrown: unknown) => {
    if (signal.aborted && thrown instanceof InterruptedError) return undefined;
    throw thrown;
  });

/** Waits for what is said to a server that may be away, but not longer. */
export const atMost = (promise: Promise<unknown>, milliseconds: number): Promise<unknown> =>
  Promise.race([promise, delay(milliseconds, undefined, { ref: false })]);

/** Writes what expires at once, as workers write what they have made. A server that is full or may only be read refuses it. */
export const tryWrite = (redis: Redis): Promise<unknown> => redis.set(keys.written, "", "PX", 1);

/** The keys of a pattern, as the server finds them: some of them at a time, perhaps none. */
export async function* scanKeys(redis: Redis, pattern: string): AsyncGenerator<readonly string[]> {
  let cursor = "0";
  do {
    const [next, found] = await redis.scan(cursor, "MATCH", pattern, "COUNT", 1000);
    cursor = next;
    yield found;
  } while (cursor !== "0");
}

async function optionsOf(
  { url: text, passwordFile, caFile }: QueuePlace,
  warn: (message: string) => void,
): Promise<{ place: string; options: RedisOptions }> {
  const url = parseUrl(text);
  const isTls = url.protocol === "rediss:";
  if (caFile !== undefined && !isTls) throw new UsageError("--queue-ca is for a queue with TLS; give --queue as rediss://");
  const password =
    passwordFile === undefined
      ? undefined
      : await readFirstLine(passwordFile, "--queue-password-file", "the queue's password", warn);
  const authority = caFile === undefined ? undefined : await readGiven(caFile, "--queue-ca");
  // Node takes a file without one for no authority at all
  if (authority !== undefined) parseCertificate(authority, `--queue-ca ${caFile}`);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? 6379 : Number(url.port);
  const options: RedisOptions = {
    host,
    port,
    db: Number(url.pathname.slice(1) || 0),
    ...(url.username !== "" && { username: userOf(url) }),
    ...(password !== undefined && { password }),
    ...(isTls && {
      tls: {
        ...(isIP(host) === 0 && { servername: host }),
        ...(authority !== undefined && { ca: authority }),
      },
    }),
    connectTimeout: connectMs,
    keepAlive: 10_000,
    lazyConnect: true,
    maxRetriesPerRequest: null,
  };
  return { place: `${url.protocol}//${url.host}`, options };
}

/** Connects once. @returns what the server says of itself, "" where the user may not ask */
async function askServer(Client: typeof Redis, options: RedisOptions, signal: AbortSignal): Promise<string> {
  const redis = new Client({ ...options, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  const over = new AbortController();
  // what fails first says why; connect() says only that it failed, or waits on
  const failed = new Promise<never>((_, reject) => {
    redis.on("error", reject);
    redis.on("end", () => reject(new Error(closed)));
    // the system takes connections for a process that answers nothing
    delay(connectMs, undefined, { signal: over.signal }).then(
      () => reject(new Error(`connected, but without an answer for ${connectMs / 1000} s`)),
      () => undefined,
    );
  });
  const ask = async (): Promise<string> => {
    // rejects after the error itself
    await Promise.race([redis.connect().catch(() => failed), failed]);
    await tryWrite(redis);
    return redis.info().catch(() => "");
  };
  try {
    return await orStopped(Promise.race([ask(), failed]), signal);
  } finally {
    over.abort();
    redis.disconnect();
  }
}

/** What a server says at once, without being asked; "" where it says nothing. */
async function firstWord({ host, port }: RedisOptions, signal: AbortSignal): Promise<string> {
  const socket = connect({ host, port: Number(port) });
  socket.setEncoding("utf8");
  const said = new Promise<string>((resolve) => {
    socket.once("data", (data) => resolve(String(data)));
    socket.once("error", () => resolve(""));
    socket.once("close", () => resolve(""));
    socket.setTimeout(closedMs, () => resolve(""));
  });
  try {
    return await orStopped(said, signal);
  } finally {
    socket.destroy();
  }
}

/** Whether a server broke a connection, so that what it said is lost with what was sent to it. */
const isBroken = (cause: Error): boolean =>
  cause.message === closed || ("code" in cause && (cause.code === "EPIPE" || cause.code === "ECONNRESET"));

/** Asks a server, so that what is wrong shows at once. @returns what it says of itself */
async function probe(Client: typeof Redis, place: string, options: RedisOptions, signal: AbortSignal): Promise<string> {
  const askAgain = async (cause: Error): Promise<string> => {
    // one that refuses a connection says why, and ends it before it reads anything
    const [, why] = isBroken(cause) && options.tls === undefined ? (/^-(.*)/.exec(await firstWord(options, signal)) ?? []) : [];
    if (why !== undefined) throw new Error(why);
    if (cause.message !== closed) throw cause;
    // one that ends closes its connections as one in protected mode does behind TLS: a second later it is gone, or back
    await orStopped(delay(closedMs), signal);
    return askServer(Client, options, signal);
  };
  try {
    return await askServer(Client, options, signal).catch(askAgain);
  } catch (cause) {
    if (cause instanceof InterruptedError) throw cause;
    throw connectionError(place, cause as Error, options.tls !== undefined);
  }
}

function checkServer(info: string, place: string, warn: (message: string) => void): void {
  const [, major = "7", minor = "0"] = /^redis_version:(\d+)\.(\d+)/m.exec(info) ?? [];
  if (Number(major) < 6 || (major === "6" && Number(minor) < 2)) {
    throw new FailedPreconditionError(`${place} is Redis ${major}.${minor}; the queue needs 6.2 or later`);
  }
  const [, policy = "noeviction"] = /^maxmemory_policy:(\S+)/m.exec(info) ?? [];
  if (policy !== "noeviction") {
    warn(
      `${place} removes keys when its memory is full (maxmemory-policy ${policy}), so jobs may be lost and made again; set noeviction`,
    );
  }
}

/** Begins to connect. A server that has gone since it was asked comes back like one that goes later: what is sent waits. */
const begin = (client: Redis): Promise<void> => client.connect().catch(() => undefined);

/**
 * Connects to a queue's server.
 *
 * @param warn also called when the server goes away and when it is back
 * @param signal ends the wait for the server to answer at first
 * @throws {InterruptedError} when the signal fires
 * @throws {UsageError} on an address of another form
 * @throws {TryAgainError} where nothing answers, or the server refuses what is written
 * @throws {DeniedError} on a wrong password or a certificate that is not trusted
 * @throws {FailedPreconditionError} on an old server
 */
export async function connectQueue(
  place: QueuePlace,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<QueueConnection> {
  const { version, keyFile } = place;
  const { place: name, options } = await optionsOf(place, warn);
  const seal = await QueueSeal.open(keyFile, warn);
  const { Redis: Client } = await loadIoredis();
  checkServer(await probe(Client, name, options, signal), name, warn);
  const lasting: RedisOptions = { ...options, retryStrategy: (times) => Math.min(100 * times, 2000), socketTimeout: answerMs };
  const clients: Redis[] = [];
  let isAway = false;
  const open = (isWatched: boolean): Redis => {
    const { socketTimeout, ...quiet } = lasting;
    // who only listens may hear nothing for long
    const client = new Client(isWatched ? { ...quiet, socketTimeout } : quiet);
    let why = "the connection was closed";
    client.on("error", (cause: Error) => {
      const error = connectionError(name, cause, options.tls !== undefined);
      // a server that is back, and refuses this client now
      if (isWatched && isAway && error instanceof DeniedError && error.message !== why) warn(`${error.message}; waiting for it`);
      why = error.message;
    });
    client.on("reconnecting", () => {
      if (!isWatched || isAway) return;
      isAway = true;
      warn(`${name} is away (${why}); waiting for it`);
    });
    client.on("ready", () => {
      if (isWatched && isAway) warn(`${name} is back`);
      if (isWatched) isAway = false;
    });
    clients.push(client);
    return client;
  };
  const close = (): void => {
    for (const client of clients) client.disconnect();
  };
  const redis = open(true);
  try {
    await orStopped(begin(redis), signal);
  } catch (cause) {
    close();
    throw cause;
  }
  return {
    place: name,
    redis,
    seal,
    version,
    circle: circleOf(version, seal.keyName),
    async subscribe(channel, onMessage) {
      const listener = open(false);
      listener.on("message", (_channel, message) => onMessage(message));
      await begin(listener);
      await orRefusal(name, listener.subscribe(channel));
    },
    close,
  };
}
