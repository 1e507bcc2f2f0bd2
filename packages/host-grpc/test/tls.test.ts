import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { GenerateResult } from "selfsigned";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeAuthority, makeCertificate, writePair } from "../../../tools/test/certificates.ts";
import { startServer, withServer } from "./fixtures/fake-server.ts";
import type { FakeServer } from "./fixtures/fake-server.ts";
import { errorOf } from "./fixtures/flight-client.ts";
import { makeVia } from "./fixtures/remote-make.ts";

interface Context {
  folder: string;
  authority: GenerateResult;
  other: GenerateResult;
  /** Paths. */
  ca: string;
  otherCa: string;
  server: { cert: string; key: string };
  client: { cert: string; key: string };
  foreign: { cert: string; key: string };
  tls: FakeServer;
  mutual: FakeServer;
}

const test = suite<Context>("tls");

const reloadMs = 50;

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "host-grpc-tls-"));
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(context.folder, name);
    await writeFile(path, text);
    return path;
  };
  context.authority = await makeAuthority("one");
  context.other = await makeAuthority("other");
  context.ca = await write("ca.pem", context.authority.cert);
  context.otherCa = await write("other-ca.pem", context.other.cert);
  context.server = await writePair(context.folder, "server", await makeCertificate(context.authority));
  context.client = await writePair(context.folder, "client", await makeCertificate(context.authority, { name: "client" }));
  context.foreign = await writePair(context.folder, "foreign", await makeCertificate(context.other, { name: "client" }));
  context.tls = await startServer(() => ({ tls: context.server }));
  context.mutual = await startServer(() => ({ tls: { ...context.server, clientCa: context.ca } }));
});
test.after(async ({ folder, tls, mutual }) => {
  await tls.stop();
  await mutual.stop();
  await rm(folder, { recursive: true });
});

const viaOf = ({ server }: FakeServer, host = "127.0.0.1"): string => `grpcs://${host}:${server.port}`;

/** Tag and message of the error that a call ends with. */
async function failure(work: Promise<unknown>): Promise<string> {
  const { tag, message } = (await errorOf(work)) as unknown as { tag: string; message: string };
  return `${tag}: ${message}`;
}

test("a stage runs on a server with TLS, by address and by name; Node warns of nothing", async ({ tls, ca }) => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): void => void warnings.push(message);
  process.on("warning", onWarning);
  assert.is(tls.server.address, viaOf(tls));
  for (const host of ["127.0.0.1", "localhost"]) assert.ok((await makeVia({ via: viaOf(tls, host), ca })) > 0, host);
  assert.ok((await makeVia({ via: viaOf(tls).replace("grpcs", "grpc+tls"), ca })) > 0);
  process.off("warning", onWarning);
  assert.equal(warnings, []);
});

test("a certificate of an unknown authority is refused, with --ca and without", async ({ tls, otherCa }) => {
  for (const files of [{ ca: otherCa }, {}]) {
    assert.is(
      await failure(makeVia({ via: viaOf(tls), ...files })),
      `denied: ${viaOf(tls)}: its certificate is signed by none of the authorities known here; give the right one by --ca`,
    );
  }
});

test("an expired certificate is refused, and the server's log says it", async ({ folder, authority, ca }) => {
  const pair = await writePair(folder, "expired", await makeCertificate(authority, { from: -20, to: -10 }));
  await withServer({ tls: pair }, async (fake) => {
    assert.is(
      await failure(makeVia({ via: viaOf(fake), ca })),
      `denied: ${viaOf(fake)}: its certificate has expired; renew it on the server`,
    );
    assert.match(
      fake.log.join("\n"),
      /the certificate in .*expired\.pem expired on \S+Z, so that clients refuse it; make another/,
    );
  });
});

test("a certificate that is not valid yet is refused, and the clocks are named", async ({ folder, authority, ca }) => {
  const pair = await writePair(folder, "early", await makeCertificate(authority, { from: 10, to: 20 }));
  await withServer({ tls: pair }, async (fake) => {
    assert.is(
      await failure(makeVia({ via: viaOf(fake), ca })),
      `denied: ${viaOf(fake)}: its certificate is not valid yet; compare the clocks of the two machines`,
    );
  });
});

test("a certificate of another name is refused", async ({ folder, authority, ca }) => {
  const pair = await writePair(folder, "elsewhere", await makeCertificate(authority, { name: "example.org", ip: "192.0.2.1" }));
  await withServer({ tls: pair }, async (fake) => {
    for (const host of ["127.0.0.1", "localhost"]) {
      const via = viaOf(fake, host);
      const message = await failure(makeVia({ via, ca }));
      assert.match(
        message,
        /^denied: grpcs:\S+ its certificate is for another name \(.*\); call it by a name of its certificate$/,
      );
    }
  });
});

test("plaintext to a server with TLS, and TLS to one without, name the right address", async ({ tls, ca }) => {
  const plain = viaOf(tls).replace("grpcs", "grpc");
  assert.is(
    await failure(makeVia({ via: plain })),
    `denied: ${plain}: it takes calls with TLS alone; give --via as ${viaOf(tls)}, and --ca`,
  );
  await withServer({}, async (fake) => {
    assert.is(
      await failure(makeVia({ via: viaOf(fake), ca })),
      `denied: ${viaOf(fake)}: it takes calls without TLS; give --via as grpc://, or start it with --cert and --key`,
    );
  });
});

test("a server that is not there may be there later, with TLS too", async ({ ca }) => {
  assert.match(await failure(makeVia({ via: "grpcs://127.0.0.1:1", ca })), /^try-again: .*; is the server running there\?$/);
});

test("mutual TLS: a client with a certificate of the authority may call", async ({ mutual, ca, client }) => {
  assert.ok((await makeVia({ via: viaOf(mutual), ca, ...client })) > 0);
});

test("mutual TLS: a client without a certificate, or with one of another authority, is refused", async (context) => {
  const { mutual, ca, foreign } = context;
  const via = viaOf(mutual);
  assert.is(
    await failure(makeVia({ via, ca })),
    `denied: ${via}: it asks for a certificate of the client; give --cert and --key`,
  );
  assert.is(
    await failure(makeVia({ via, ca, ...foreign })),
    `denied: ${via}: it refuses the certificate of --cert; ask for one that its --client-ca has signed`,
  );
});

test("an expired certificate of a client is refused before anything is sent", async ({ folder, authority, mutual, ca }) => {
  const pair = await writePair(folder, "old-client", await makeCertificate(authority, { from: -20, to: -10 }));
  assert.match(
    await failure(makeVia({ via: viaOf(mutual), ca, ...pair })),
    /^denied: the certificate in .* expired on \S+Z, so that/,
  );
});

test("files that are wrong are refused, by server and client", async ({ tls, folder, ca, server, client }) => {
  const locked = join(folder, "locked.key");
  const cipher = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" } as const;
  await writeFile(locked, createPrivateKey(await readFile(client.key)).export(cipher), { mode: 0o600 });
  const rsaKey = join(folder, "rsa.key");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await writeFile(rsaKey, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const missing = join(folder, "none.pem");
  const via = viaOf(tls);
  const mixed = { cert: server.cert, key: client.key };
  for (const [work, pattern] of [
    [() => makeVia({ via, ca: missing }), /^input-output: cannot read \(--ca\) .*none\.pem: no such file/],
    [() => makeVia({ via, ca: server.key }), /^usage: --ca .*server\.key has no certificate; give a PEM file/],
    [
      () => makeVia({ via, ca, ...mixed }),
      /^usage: --cert \S+ and --key \S+ do not go together .*; give a certificate and its own key/,
    ],
    [() => makeVia({ via, ca, cert: client.cert, key: locked }), /^usage: .*the key has a passphrase, .*; take it off/],
    [() => makeVia({ via, ca, cert: client.cert }), /^usage: --cert and --key go together/],
    [() => makeVia({ via: via.replace("grpcs", "grpc"), ca }), /^usage: --ca is for TLS; give --via as grpcs:/],
    [() => withServer({ tls: mixed }, async () => undefined), /^usage: --cert \S+ and --key \S+ do not go together/],
    // of another algorithm
    [() => makeVia({ via, ca, cert: client.cert, key: rsaKey }), /^usage: --cert \S+ and --key \S+ do not go together/],
    [() => withServer({ tls: { ...server, cert: missing } }, async () => undefined), /^input-output: cannot read \(--cert\)/],
    [
      () => withServer({ tls: { ...server, clientCa: server.key } }, async () => undefined),
      /^usage: --client-ca .* has no certificate/,
    ],
  ] as const) {
    assert.match(await failure(work()), pattern);
  }
});

test("certificates are read again when they change; half a change and a wrong file change nothing", async (context) => {
  const { folder, authority, other, ca, otherCa } = context;
  const pair = await writePair(folder, "changing", await makeCertificate(authority));
  await withServer({ tls: pair, reloadMs }, async (fake) => {
    const via = viaOf(fake);
    assert.ok((await makeVia({ via, ca })) > 0);
    const next = await writePair(folder, "next", await makeCertificate(other));
    await rename(next.cert, pair.cert);
    while (!fake.log.some((line) => line.includes("do not go together"))) await delay(reloadMs);
    // certificate and key do not fit: the first pair stays
    assert.ok((await makeVia({ via, ca })) > 0);
    await rename(next.key, pair.key);
    while (!fake.log.includes("read --cert, --key again")) await delay(reloadMs);
    assert.ok((await makeVia({ via, ca: otherCa })) > 0);
    assert.match(await failure(makeVia({ via, ca })), /none of the authorities known here/);
  });
});

test("the authority of clients is read again too", async ({ folder, authority, other, ca, server, client, foreign }) => {
  const clientCa = join(folder, "changing-ca.pem");
  await writeFile(clientCa, authority.cert);
  await withServer({ tls: { ...server, clientCa }, reloadMs }, async (fake) => {
    const via = viaOf(fake);
    assert.ok((await makeVia({ via, ca, ...client })) > 0);
    await writeFile(clientCa, other.cert);
    while (!fake.log.some((line) => line.startsWith("read "))) await delay(reloadMs);
    assert.match(await failure(makeVia({ via, ca, ...client })), /it refuses the certificate of --cert/);
    assert.ok((await makeVia({ via, ca, ...foreign })) > 0);
  });
});

/** How a server is refused that listens everywhere. */
const refused = (options: Parameters<typeof withServer>[0]): Promise<string> =>
  failure(withServer({ listen: "0.0.0.0:0", ...options }, async () => undefined));

test("off loopback a server wants TLS and known clients, or --insecure", async ({ server, ca }) => {
  assert.is(
    await refused({}),
    "denied: will not listen at 0.0.0.0 without TLS; give --cert and --key, listen at 127.0.0.1, or accept plaintext by --insecure",
  );
  assert.match(await refused({ tls: server }), /for everyone who reaches the port; give --tokens or --client-ca, or accept/);
  assert.match(await refused({ listen: "grpcs://127.0.0.1:0" }), /^usage: .* is with TLS; give --cert and --key too$/);
  assert.match(
    await refused({ listen: "grpc://127.0.0.1:0", tls: server }),
    /^usage: .* is without TLS; with --cert it is grpcs:/,
  );
  await withServer({ listen: "0.0.0.0:0", insecure: true }, async (fake) => {
    assert.ok((await makeVia({ via: `grpc://127.0.0.1:${fake.server.port}` })) > 0);
    assert.match(fake.log.join("\n"), /^calls to 0\.0\.0\.0 are not encrypted; .*\nanyone who reaches 0\.0\.0\.0:0 may call; /);
  });
  await withServer({ listen: "0.0.0.0:0", tls: { ...server, clientCa: ca } }, async () => undefined);
});

test("a connection that never finishes its handshake takes no place", async ({ tls, ca }) => {
  const sockets = Array.from({ length: 200 }, () => connect(tls.server.port, "127.0.0.1"));
  for (const socket of sockets) socket.on("error", () => undefined);
  assert.ok((await makeVia({ via: viaOf(tls), ca })) > 0);
  for (const socket of sockets) socket.destroy();
});

test.run();
