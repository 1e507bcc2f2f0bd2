import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import {
  BadDataError,
  DeniedError,
  InputOutputError,
  InterruptedError,
  MbsError,
  TryAgainError,
  UsageError,
} from "@mbs/contracts";
import { openSharedStore, pruneStore, verifyArtifact } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, largeFile, smallFile } from "./artifact-files.ts";
import type { ArtifactFile } from "./artifact-files.ts";
import type { Fault, Seen } from "./s3-proxy.ts";
import { bucket, startS3 } from "./s3-place.ts";
import type { S3TestPlace } from "./s3-place.ts";

interface Context {
  s3: S3TestPlace;
  /** Removed after the test. */
  folder: string;
  store: SharedStore;
  small: ArtifactFile;
  /** Put in two parts. */
  large: ArtifactFile;
}

/** Bytes of a secret that no message may show. */
const secret = "verySecretValue";

const test = suite<Context>("faults of a store in S3");
test.before(async (context) => void (context.s3 = await startS3()));
test.after(({ s3 }) => s3.end());
test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "s3-faults-"));
  context.small = await smallFile(context.folder);
  context.large = await largeFile(context.folder, 9);
  context.store = await context.s3.open({ attempts: 2 });
});
test.after.each(async ({ s3, folder, store }) => {
  s3.proxy.fault = () => undefined;
  s3.proxy.conditions = "known";
  s3.proxy.seen.length = 0;
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const isPut = ({ method, url }: Seen): boolean => method === "PUT" && url.includes("PutObject");
const isPart = ({ method, url }: Seen): boolean => method === "PUT" && url.includes("UploadPart");
const isGet = ({ method, url }: Seen): boolean => method === "GET" && url.includes("GetObject");
const isComplete = ({ method, url }: Seen): boolean => method === "POST" && url.includes("uploadId=");
const isAbort = ({ method, url }: Seen): boolean => method === "DELETE" && url.includes("uploadId=");

/** A store that soon takes a silent request for a stalled one: after a multiple of what the server needs here and now. */
async function openImpatient({ s3, store, large }: Context): Promise<{ readonly store: SharedStore; readonly stall: number }> {
  const begun = performance.now();
  await store.put(large.address, large.path);
  await store.remove(large.address);
  const stall = Math.max(600, 5 * (performance.now() - begun));
  return { store: await s3.open({ stall, attempts: 2 }), stall };
}

/** A fault of the first few requests of a sort. */
const first = (count: number, isOne: (request: Seen) => boolean, fault: Fault): ((request: Seen) => Fault | undefined) => {
  let left = count;
  return (request) => (isOne(request) && left-- > 0 ? fault : undefined);
};

const setVariable = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};

/** Runs with other variables; undefined unsets one. */
async function withEnvironment(changes: Readonly<Record<string, string | undefined>>, fn: () => Promise<void>): Promise<void> {
  const before = Object.keys(changes).map((name) => [name, process.env[name]] as const);
  for (const [name, value] of Object.entries(changes)) setVariable(name, value);
  try {
    await fn();
  } finally {
    for (const [name, value] of before) setVariable(name, value);
  }
}

/** One line with the place, and nothing of the credentials, in the error and all its causes. */
function checkMessage(error: Error, place: string): void {
  assert.ok(error.message.includes(place), error.message);
  assert.not.match(error.message, "\n");
  assert.not.match(error.message, /a bug/);
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    assert.not.match(`${cause.stack} ${JSON.stringify(cause)}`, secret);
  }
}

/** What has to be the same after any fault: a later put and get work, and nothing is left of the earlier ones. */
async function checkHealed({ s3, store, folder }: Context, { address, path, bytes }: ArtifactFile): Promise<void> {
  s3.proxy.fault = () => undefined;
  await store.put(address, path);
  const target = join(folder, "healed");
  await store.get(address, target);
  assert.ok(bytes.equals(await readFile(target)));
  assert.equal((await readdir(folder)).toSorted(), ["healed", "large-9.arrow", "small-5.arrow"]);
}

test("a place of another form is refused, without repeating a password", async () => {
  for (const place of [
    "s3://",
    "s3://B",
    "s3://bucket/../x",
    "s3://bucket/a//b",
    "s3://bucket/a?x",
    "S3://bucket",
    "s3://a/b\nc",
  ]) {
    const error = await errorOf(() => openSharedStore(place));
    assert.instance(error, UsageError, place);
    assert.match(error.message, "s3://BUCKET/PREFIX");
  }
  const error = await errorOf(() => openSharedStore(`s3://user:${secret}@bucket/x`));
  assert.match(error.message, /takes no credentials/);
  assert.not.match(error.message, secret);
});

test("a bucket that is not there is a usage error", async ({ s3 }) => {
  const error = await errorOf(() => openSharedStore("s3://no-such-bucket/x"));
  assert.instance(error, UsageError);
  assert.is(
    error.message,
    `there is no bucket no-such-bucket at ${s3.proxy.url}; make it first, or correct the place of the store`,
  );
});

test("a wrong user, none, and no region are named, and no secret is", async () => {
  const place = `s3://${bucket}/x`;
  const wrong = { AWS_ACCESS_KEY_ID: "WRONG", AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: secret };
  await withEnvironment(wrong, async () => {
    const error = await errorOf(() => openSharedStore(place));
    assert.instance(error, DeniedError);
    checkMessage(error, place);
  });
  await withEnvironment({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }, async () => {
    const error = await errorOf(() => openSharedStore(place));
    assert.instance(error, DeniedError);
    assert.match(error.message, /no credentials were found; set AWS_PROFILE/);
  });
  await withEnvironment({ AWS_REGION: undefined }, async () => {
    const error = await errorOf(() => openSharedStore(place));
    assert.instance(error, UsageError);
    assert.match(error.message, /no region is set; set AWS_REGION/);
  });
  for (const endpoint of ["127.0.0.1:9000", `user:${secret}@host`, "ftp://127.0.0.1"]) {
    await withEnvironment({ AWS_ENDPOINT_URL: endpoint }, async () => {
      const error = await errorOf(() => openSharedStore(place));
      assert.instance(error, UsageError);
      assert.match(error.message, /^AWS_ENDPOINT_URL takes an address such as http:/);
    });
  }
});

test("a server that is not there, or says nothing, is try-again", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  for (const [endpoint, reason] of [
    ["http://127.0.0.1:1", /ECONNREFUSED/],
    [`http://user:${secret}@127.0.0.1:${port}`, /does not answer/],
  ] as const) {
    await withEnvironment({ AWS_ENDPOINT_URL: endpoint }, async () => {
      const started = performance.now();
      const error = await errorOf(() => openSharedStore(`s3://${bucket}`, { stall: 300, attempts: 2 }));
      assert.instance(error, TryAgainError);
      assert.match(error.message, reason);
      checkMessage(error, `s3://${bucket}`);
      // with the default, one attempt alone takes as long
      assert.ok(performance.now() - started < 30_000);
    });
  }
  server.close();
});

test("a server that is away for seconds, as when it restarts, is waited for", async (context) => {
  const store = await context.s3.open({ attempts: 10 });
  const { address, path } = context.small;
  context.s3.proxy.fault = first(7, isPut, "cut-request");
  await store.put(address, path);
  await store.close();
  await checkHealed(context, context.small);
});

/** What the server answers → the class of the error. */
const answers: readonly (readonly [number, string, new (message: string) => MbsError])[] = [
  [403, "AccessDenied", DeniedError],
  [403, "SignatureDoesNotMatch", DeniedError],
  [401, "Unauthorized", DeniedError],
  [400, "ExpiredToken", DeniedError],
  [404, "NoSuchBucket", UsageError],
  [400, "BadDigest", TryAgainError],
  [409, "OperationAborted", TryAgainError],
  [429, "TooManyRequests", TryAgainError],
  [500, "InternalError", TryAgainError],
  [503, "SlowDown", TryAgainError],
  [507, "XMinioStorageFull", InputOutputError],
  [400, "EntityTooLarge", InputOutputError],
  [400, "InvalidArgument", InputOutputError],
];

test("what a server answers to puts, gets, lists and removals has its category", async (context) => {
  const { s3, store, folder, small } = context;
  await withEnvironment({ AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: secret }, async () => {
    for (const [status, code, Class] of answers) {
      const works = [
        [isPut, () => store.put(small.address, small.path)],
        [isGet, () => store.get(small.address, join(folder, "got"))],
        [({ url }: Seen) => url.includes("list-type"), () => store.readNeeds()],
        [({ method }: Seen) => method === "DELETE", () => store.remove(small.address)],
        [isPut, () => store.writeNeeds({ run: "r", addresses: [] })],
      ] as const;
      for (const [isOne, work] of works) {
        s3.proxy.fault = (request) => (isOne(request) ? { status, code } : undefined);
        const error = await errorOf(work);
        assert.instance(error, Class, `${code}: ${error.message}`);
        if (code !== "NoSuchBucket") checkMessage(error, store.place);
      }
    }
  });
  assert.equal((await readdir(folder)).toSorted(), ["large-9.arrow", "small-5.arrow"]);
  await checkHealed(context, small);
});

test("a server that is busy for a while is asked again", async ({ s3, store, folder, small }) => {
  const busy = { status: 503, code: "SlowDown" };
  s3.proxy.fault = first(1, isPut, busy);
  await store.put(small.address, small.path);
  s3.proxy.fault = first(1, isGet, busy);
  await store.get(small.address, join(folder, "got"));
  assert.equal([s3.proxy.seen.filter(isPut).length, s3.proxy.seen.filter(isGet).length], [2, 2]);
});

for (const fault of ["cut-request", "stall", "lost-answer"] as const) {
  test(`a put meets ${fault}: once it succeeds, always it is try-again`, async (context) => {
    const { s3, small, large } = context;
    const { store, stall } = await openImpatient(context);
    for (const [isOne, file] of [
      [isPut, small],
      [isPart, large],
      [isComplete, large],
    ] as const) {
      s3.proxy.fault = first(1, isOne, fault);
      await store.put(file.address, file.path);
      await verifyArtifact(store, file.address);
      await store.remove(file.address);
      s3.proxy.fault = (request) => (isOne(request) ? fault : undefined);
      const started = performance.now();
      const error = await store.put(file.address, file.path).then(
        () => undefined,
        (cause: unknown) => cause as Error,
      );
      // where every answer is lost, the work is done all the same, and the store is looked at
      if (fault !== "lost-answer") assert.instance(error, TryAgainError);
      if (error !== undefined) checkMessage(error, store.place);
      // two attempts at the work, and two to remove what it left
      assert.ok(performance.now() - started < 10_000 + 10 * stall);
      await checkHealed({ ...context, store }, file);
      await store.remove(file.address);
    }
    await store.close();
  });
}

test("a put in parts that fails is given up, and prune finds what could not be", async (context) => {
  const { s3, store, large } = context;
  s3.proxy.fault = (request) => (isPart(request) ? { status: 403, code: "AccessDenied" } : undefined);
  assert.instance(await errorOf(() => store.put(large.address, large.path)), DeniedError);
  assert.is(s3.proxy.seen.filter(isAbort).length, 1);
  assert.is(await store.removeUnfinished(new Date(Date.now() + 60_000)), 0);

  s3.proxy.fault = (request) => (isPart(request) || isAbort(request) ? { status: 403, code: "AccessDenied" } : undefined);
  assert.instance(await errorOf(() => store.put(large.address, large.path)), DeniedError);
  s3.proxy.fault = ({ url }) => (/[?&]uploads/.test(url) ? { status: 403, code: "AccessDenied" } : undefined);
  assert.is((await pruneStore(store, { olderThan: 0 })).unfinished, undefined, "without the right to look for it");
  s3.proxy.fault = () => undefined;
  assert.is(await store.removeUnfinished(new Date(Date.now() - 60_000)), 0);
  assert.is(await store.removeUnfinished(new Date(Date.now() + 60_000), { dryRun: true }), 1);
  assert.is(await store.removeUnfinished(new Date(Date.now() + 60_000)), 1);
  assert.is(await store.removeUnfinished(new Date(Date.now() + 60_000)), 0);
  await checkHealed(context, large);
});

for (const fault of ["cut-answer", "stall-answer"] as const) {
  test(`a get meets ${fault}: it goes on from there, and always is try-again`, async (context) => {
    const { s3, folder, large } = context;
    const { store } = await openImpatient(context);
    await store.put(large.address, large.path);
    const target = join(folder, "got");
    s3.proxy.fault = first(2, isGet, fault);
    await store.get(large.address, target);
    assert.ok(large.bytes.equals(await readFile(target)));
    const ranges = s3.proxy.seen.filter(isGet).map(({ headers }) => headers.range);
    assert.is(ranges.length, 3);
    assert.match(String(ranges[1]), /^bytes=\d{6,}-$/);
    await rm(target);

    const { length } = s3.proxy.seen;
    s3.proxy.fault = (request) => {
      if (!isGet(request)) return undefined;
      // one that gets on is not given up
      return s3.proxy.seen.length === length + 1 ? fault : "stall";
    };
    const error = await errorOf(() => store.get(large.address, target));
    assert.instance(error, TryAgainError);
    checkMessage(error, store.place);
    assert.equal((await readdir(folder)).toSorted(), ["large-9.arrow", "small-5.arrow"]);
    await checkHealed({ ...context, store }, large);
    await store.close();
  });
}

test("AWS_MAX_ATTEMPTS holds for requests and for what is left of a download, unless the caller says another number", async (context) => {
  const { s3, store, folder, small } = context;
  await store.put(small.address, small.path);
  const target = join(folder, "got");
  /** How often an artifact is asked for whose first answer is cut. */
  const asked = async (attempts?: number): Promise<number> => {
    const own = await openSharedStore(store.place, { ...(attempts !== undefined && { attempts }) });
    s3.proxy.fault = first(1, isGet, "cut-answer");
    s3.proxy.seen.length = 0;
    await own.get(small.address, target).catch((error: unknown) => assert.instance(error, TryAgainError));
    await own.close();
    return s3.proxy.seen.filter(isGet).length;
  };
  await withEnvironment({ AWS_MAX_ATTEMPTS: "1" }, async () => {
    assert.is(await asked(), 1);
    assert.is(await asked(2), 2);
    const own = await openSharedStore(store.place, { attempts: 2 });
    s3.proxy.fault = first(1, isGet, { status: 503, code: "SlowDown" });
    await own.get(small.address, target);
    await own.close();
  });
  await withEnvironment({ AWS_MAX_ATTEMPTS: "" }, async () => assert.is(await asked(), 2));
  for (const text of ["0", "-1", "three", "1.5"]) {
    await withEnvironment({ AWS_MAX_ATTEMPTS: text }, async () => {
      const error = await errorOf(() => openSharedStore(store.place));
      assert.instance(error, UsageError);
      assert.match(error.message, `AWS_MAX_ATTEMPTS takes a whole number from 1 to 9999, not "${text}"`);
      await openSharedStore(folder);
    });
  }
});

test("a server that does not know ranges is read from there all the same", async ({ s3, store, folder, large }) => {
  await store.put(large.address, large.path);
  s3.proxy.fault = (request) => {
    if (!isGet(request)) return undefined;
    return request.headers.range === undefined ? "cut-answer" : "whole-answer";
  };
  await store.get(large.address, join(folder, "got"));
  assert.ok(large.bytes.equals(await readFile(join(folder, "got"))));
  const start: Uint8Array[] = [];
  for await (const part of store.read(large.address, { limit: 1000 })) start.push(part);
  assert.equal(Buffer.concat(start), large.bytes.subarray(0, 1000));
});

test("an artifact that is exchanged while it is read is try-again", async ({ s3, store, folder, large }) => {
  await store.put(large.address, large.path);
  s3.proxy.fault = (request) => {
    if (!isGet(request)) return undefined;
    return request.headers["if-match"] === undefined ? "cut-answer" : { status: 412, code: "PreconditionFailed" };
  };
  const error = await errorOf(() => store.get(large.address, join(folder, "got")));
  assert.instance(error, TryAgainError);
  assert.match(error.message, /was replaced meanwhile; try again/);
});

test("bytes that change on the way are refused, and what is stored so is replaced", async (context) => {
  const { s3, store, folder, small } = context;
  s3.proxy.fault = first(1, isPut, "flip-request");
  await store.put(small.address, small.path);
  const error = await errorOf(() => store.get(small.address, join(folder, "got")));
  assert.instance(error, BadDataError);
  checkMessage(error, store.place);
  await store.remove(small.address);
  await store.put(small.address, small.path);
  s3.proxy.fault = first(1, isGet, "flip-answer");
  assert.instance(await errorOf(() => store.get(small.address, join(folder, "got"))), BadDataError);
  await checkHealed(context, small);
});

test("a store that keeps less than was put is noticed, and the next put replaces it", async (context) => {
  const { s3, store, small } = context;
  s3.proxy.fault = (request) => (isPut(request) ? "tear-request" : undefined);
  const error = await errorOf(() => store.put(small.address, small.path));
  assert.instance(error, TryAgainError);
  assert.match(error.message, /has \d+ bytes after \d+ bytes were put: the store lost some/);
  await checkHealed(context, small);
});

test("another process that puts the same at once, and a server without conditions, are no error", async (context) => {
  const { s3, store, small, large } = context;
  for (const [status, code] of [
    [409, "ConditionalRequestConflict"],
    [501, "NotImplemented"],
  ] as const) {
    for (const [isOne, file] of [
      [isPut, small],
      [isComplete, large],
    ] as const) {
      const fresh = await s3.open();
      s3.proxy.fault = first(1, isOne, { status, code });
      await fresh.put(file.address, file.path);
      await verifyArtifact(fresh, file.address);
      const { length } = s3.proxy.seen;
      await fresh.remove(file.address);
      await fresh.put(file.address, file.path);
      const conditions = s3.proxy.seen.slice(length).map(({ headers }) => headers["if-none-match"]);
      assert.is(conditions.includes("*"), status !== 501, "a server that does not know conditions is asked for none any more");
      await fresh.close();
    }
  }
  // it comes between the look and the put
  s3.proxy.fault = (request) =>
    isPut(request) && request.headers["if-none-match"] === "*" ? { status: 412, code: "PreconditionFailed" } : undefined;
  const error = await errorOf(() => store.put(small.address, small.path));
  assert.instance(error, TryAgainError, "the server says that it is there, and it is not");
  await checkHealed(context, small);
});

test("a signal in the middle of a put or a get ends it at once", async (context) => {
  const { s3, store, folder, large } = context;
  /** Answers such requests as given, and ends the work by a signal once the first has come. @returns the signal, and when */
  const endAt = (isOne: typeof isPart, fault: "stall" | "stall-answer") => {
    const controller = new AbortController();
    const ended = { signal: controller.signal, at: Infinity };
    s3.proxy.fault = (request) => {
      if (!isOne(request)) return undefined;
      setTimeout(() => {
        ended.at = Math.min(ended.at, performance.now());
        controller.abort();
      }, 50);
      return fault;
    };
    return ended;
  };
  const put = endAt(isPart, "stall");
  const error = await errorOf(() => store.put(large.address, large.path, { signal: put.signal }));
  assert.instance(error, InterruptedError);
  // without it, a stalled request is given up after the half minute of a store's default
  assert.ok(performance.now() - put.at < 20_000);
  assert.is(s3.proxy.seen.filter(isAbort).length, 1);
  s3.proxy.fault = () => undefined;
  await store.put(large.address, large.path);
  const get = endAt(isGet, "stall-answer");
  const got = await errorOf(() => store.get(large.address, join(folder, "got"), { signal: get.signal }));
  assert.instance(got, InterruptedError);
  assert.equal((await readdir(folder)).toSorted(), ["large-9.arrow", "small-5.arrow"]);
  await wait(10);
});

test.run();
