import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Metadata, status } from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import { flightService } from "../src/protocol/flight-service.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { streamLimit } from "../src/server/serve.ts";
import { Tokens } from "../src/server/tokens.ts";
import { callMake, segmentMessages, startServer, withServer } from "./fixtures/fake-server.ts";
import type { FakeServer } from "./fixtures/fake-server.ts";
import { FlightClient, all, errorOf } from "./fixtures/flight-client.ts";
import { makeVia } from "./fixtures/remote-make.ts";

interface Context {
  fake: FakeServer;
  folder: string;
  /** A client for each token. */
  clients: Map<string, FlightClient>;
}

const test = suite<Context>("tokens");

const tokenOf = (name: string): string => `${name}-`.padEnd(40, "0123456789");

/** A token with each scope alone, and one with all. */
const lines = ["run", "read", "write", "delete", "run,read,write,delete"].map(
  (scopes) => `${scopes.replaceAll(",", "")} ${scopes} ${tokenOf(scopes.replaceAll(",", ""))}`,
);
const everything = "runreadwritedelete";

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "host-grpc-tokens-"));
  const tokens = join(context.folder, "tokens");
  await writeFile(tokens, `# who may call\n\n${lines.join("\n")}\n`, { mode: 0o600 });
  context.fake = await startServer(() => ({ tokens }));
  const names = ["run", "read", "write", "delete", everything];
  context.clients = new Map(names.map((name) => [name, new FlightClient(context.fake.server.port, tokenOf(name))]));
});
test.after(async ({ fake, folder, clients }) => {
  for (const client of clients.values()) client.close();
  await fake.stop();
  await rm(folder, { recursive: true });
});

const clientOf = ({ clients }: Context, name: string): FlightClient => {
  const client = clients.get(name);
  if (!client) throw new Error(`no client ${name}`);
  return client;
};

async function put(client: FlightClient): Promise<string> {
  const call = client.put();
  const answers = all<{ appMetadata: Uint8Array }>(call);
  for await (const { header, body } of segmentMessages(2)) {
    await send(call, { dataHeader: header, dataBody: body }).catch(() => undefined);
  }
  call.end();
  return Buffer.from((await answers)[0]?.appMetadata ?? []).toString();
}

/** Every call that a server offers, with the scope that it takes. */
const calls: readonly [string, string | undefined, (client: FlightClient, address: string) => Promise<unknown>][] = [
  ["DoExchange", "run", (client) => callMake(client)],
  ["ListFlights", "read", (client) => client.list()],
  ["GetFlightInfo", "read", (client, address) => client.info(address)],
  ["GetSchema", "read", (client, address) => schemaOf(client, address)],
  ["DoGet", "read", (client, address) => all(client.get(address))],
  ["DoPut", "write", (client) => put(client)],
  ["list-stages", undefined, (client) => client.listStages()],
  ["delete-artifact", "delete", (client, address) => client.act("delete-artifact", Buffer.from(address))],
];

function schemaOf({ client, metadata }: FlightClient, address: string): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = flightService.getSchema;
  const request = { type: 1, cmd: new Uint8Array(0), path: [address] };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, value) =>
      value ? resolve(value) : reject(error ?? new Error("no answer")),
    );
  });
}

test("a call takes the scope of its method: with it alone it goes well, with all others it is PERMISSION_DENIED", async (context) => {
  for (const [name, scope, call] of calls) {
    const address = await put(clientOf(context, everything));
    for (const token of ["run", "read", "write", "delete"]) {
      const client = clientOf(context, token);
      if (scope === undefined || scope === token) await call(client, address);
      else {
        const error = await errorOf(call(client, address));
        assert.is(error.code, status.PERMISSION_DENIED, `${name} with ${token}: ${error.details}`);
        assert.is(
          error.details,
          `the token of ${token} has no scope "${scope}", which ${name} takes; use a token with it, or ask for it in the server's file of tokens`,
        );
      }
    }
  }
});

test("a call without a token, or with a wrong one, is UNAUTHENTICATED, whatever it calls", async (context) => {
  const { port } = context.fake.server;
  const address = await put(clientOf(context, everything));
  const right = tokenOf(everything);
  for (const [token, pattern] of [
    [undefined, /^the call has no token; send the header authorization: Bearer TOKEN/],
    ["", /^the call has no token/],
    [right.slice(0, -1), /^the server does not know the token of the call; check it, or ask for one$/],
    [`${right}0`, /does not know/],
    [right.toUpperCase(), /does not know/],
    [`${right} ${right}`, /has no token/],
  ] as const) {
    const client = new FlightClient(port, token);
    for (const [name, , call] of calls) {
      const error = await errorOf(call(client, address));
      assert.is(error.code, status.UNAUTHENTICATED, `${name} with ${token}: ${error.details}`);
      assert.match(error.details, pattern);
    }
    client.close();
  }
});

test("--via sends the token of a file, and says what is wrong with it", async ({ fake, folder }) => {
  const via = `grpc://127.0.0.1:${fake.server.port}`;
  const tokenFile = join(folder, "mine");
  const failure = async (text: string, place = via): Promise<string> => {
    await writeFile(tokenFile, text, { mode: 0o600 });
    const { tag, message } = (await errorOf(makeVia({ via: place, tokenFile }))) as unknown as { tag: string; message: string };
    return `${tag}: ${message}`;
  };
  await writeFile(tokenFile, `${tokenOf("run")}\n`, { mode: 0o600 });
  const warnings: string[] = [];
  assert.ok((await makeVia({ via, tokenFile }, { warn: (line) => void warnings.push(line) })) > 0);
  assert.equal(warnings, []);
  await chmod(tokenFile, 0o644);
  assert.ok((await makeVia({ via, tokenFile }, { warn: (line) => void warnings.push(line) })) > 0);
  assert.match(warnings.join(), /can be read by other users of this machine; take their right to read it: chmod 600/);

  assert.is(
    await failure(tokenOf("nobody")),
    `denied: ${via}: the server does not know the token of the call; check it, or ask for one`,
  );
  assert.match(await failure(tokenOf("read")), /^denied: .* the token of read has no scope "run", which DoExchange takes; /);
  assert.match(await failure(""), /^usage: .*mine is empty; its first line is the token$/);
  const odd = await failure("two words");
  assert.match(odd, /^usage: the first line of .*mine is no token; give it alone, without a name, scopes or Bearer$/);
  assert.match(await failure(`\ufeff${tokenOf("run")}`), /is no token \(it begins with a byte order mark\); give it alone/);
  assert.match(await failure(`${tokenOf("run")} \n`), /is no token \(it ends with a blank\); give it alone/);
  assert.match(
    await failure(tokenOf("run"), "grpc://example.org:8815"),
    /^denied: will not send a token to grpc:\/\/example.org:8815 without TLS/,
  );
  const { message } = (await errorOf(makeVia({ via }))) as Error;
  assert.match(message, /the call has no token; .*--token-file FILE/);
});

test("tokens are read again when they change; the log never has a token", async ({ folder }) => {
  const tokens = join(folder, "changing");
  const replace = async (text: string): Promise<void> => {
    await writeFile(`${tokens}.new`, text, { mode: 0o600 });
    await rename(`${tokens}.new`, tokens);
  };
  await replace(`first run,read ${tokenOf("first")}\n`);
  const reloadMs = 50;
  await withServer({ tokens, reloadMs }, async ({ server, log }) => {
    const [first, second] = ["first", "second"].map((name) => new FlightClient(server.port, tokenOf(name)));
    if (!first || !second) throw new Error("no clients");
    await first.list();
    assert.is((await errorOf(second.list())).code, status.UNAUTHENTICATED);
    await replace(`second read ${tokenOf("second")}\n`);
    while (!log.includes("read --tokens again")) await delay(reloadMs);
    await second.list();
    assert.is((await errorOf(first.list())).code, status.UNAUTHENTICATED);
    assert.not.match(log.join("\n"), /0123456789/);
    first.close();
    second.close();
  });
});

test("a token that is no longer in its file is refused, also where the file is wrong, empty or gone", async ({ folder }) => {
  const tokens = join(folder, "shrinking");
  const replace = async (text: string): Promise<void> => {
    await writeFile(`${tokens}.new`, text, { mode: 0o600 });
    await rename(`${tokens}.new`, tokens);
  };
  const both = ["first", "second"].map((name) => `${name} read ${tokenOf(name)}\n`).join("");
  await replace(both);
  const reloadMs = 50;
  await withServer({ tokens, reloadMs }, async ({ server, log }) => {
    const clients = ["first", "second"].map((name) => new FlightClient(server.port, tokenOf(name)));
    const known = async (): Promise<string> => {
      const each = clients.map((client) =>
        client.list().then(
          () => "known",
          ({ code }: { code: number }) => status[code],
        ),
      );
      return (await Promise.all(each)).join();
    };
    /** Waits until the log has said it twice. */
    const repeated = async (pattern: RegExp): Promise<void> => {
      log.length = 0;
      while (log.filter((line) => pattern.test(line)).length < 2) await delay(reloadMs);
    };
    const goodAgain = async (): Promise<void> => {
      await replace(both);
      while (!log.includes("read --tokens again")) await delay(reloadMs);
      assert.is(await known(), "known,known");
    };
    assert.is(await known(), "known,known");

    await replace(`${tokenOf("first")} first read\nsecond read ${tokenOf("second")}\n`);
    await repeated(/^--tokens .*shrinking, line 1: a name has at most 31 .*; only what is right in --tokens is in use$/);
    assert.is(await known(), "UNAUTHENTICATED,known");
    await goodAgain();

    await replace("");
    await repeated(
      /^--tokens .*shrinking has no token; add a line: ci run,read TOKEN; only what is right in --tokens is in use$/,
    );
    assert.is(await known(), "UNAUTHENTICATED,UNAUTHENTICATED");
    await goodAgain();

    await rm(tokens);
    await repeated(/--tokens.*; nothing of --tokens is in use$/);
    assert.is(await known(), "UNAUTHENTICATED,UNAUTHENTICATED");
    await goodAgain();

    if (process.platform !== "win32") {
      // one that nobody writes to, which a look would wait for
      execFileSync("mkfifo", [`${tokens}.new`]);
      await rename(`${tokens}.new`, tokens);
      await repeated(
        /shrinking \(--tokens\) is no file, and it is read again later; give a file; nothing of --tokens is in use$/,
      );
      assert.is(await known(), "UNAUTHENTICATED,UNAUTHENTICATED");
      await goodAgain();
    }

    assert.not.match(log.join("\n"), /0123456789/);
    for (const client of clients) client.close();
  });
});

test("a file of tokens that others can read is warned of, without its content", async ({ folder }) => {
  const tokens = join(folder, "open");
  await writeFile(tokens, lines.join("\n"), { mode: 0o644 });
  const reloadMs = 50;
  await withServer({ tokens, reloadMs }, async ({ log }) => {
    assert.is(log.length, 1);
    assert.match(log[0] ?? "", /open can be read by other users of this machine; .*chmod 600/);
    // again after each change
    await writeFile(tokens, lines.toReversed().join("\n"));
    while (log.length < 3) await delay(reloadMs);
    assert.is(log[1], "read --tokens again");
    assert.is(log[2], log[0]);
    // and where a line is wrong, since the others are in use
    await writeFile(`${tokens}.new`, ["wrong", ...lines].join("\n"), { mode: 0o644 });
    await rename(`${tokens}.new`, tokens);
    while (log.length < 5) await delay(reloadMs);
    assert.match(log[3] ?? "", /open, line 1 takes .*; only what is right in --tokens is in use$/);
    assert.is(log[4], log[0]);
  });
});

test("a file of tokens whose rights alone change is warned of once", async ({ folder }) => {
  const tokens = join(folder, "opened");
  await writeFile(tokens, lines.join("\n"), { mode: 0o600 });
  const reloadMs = 50;
  await withServer({ tokens, reloadMs }, async ({ log }) => {
    assert.equal(log, []);
    await chmod(tokens, 0o644);
    while (log.length < 1) await delay(reloadMs);
    assert.match(log[0] ?? "", /opened can be read by other users of this machine; .*chmod 600/);
    await delay(4 * reloadMs);
    assert.is(log.length, 1);
  });
});

test("what is wrong in a file of tokens is named by its line, never quoted", () => {
  const good = tokenOf("good");
  for (const [text, pattern] of [
    ["", /--tokens f has no token; add a line: ci run,read TOKEN/],
    ["# nothing\n", /has no token/],
    [`ok run ${good}\nci ${good}`, /f, line 2 takes a name, scopes and a token/],
    [`ci run ${good} more`, /f, line 1 takes a name, scopes and a token/],
    [`ci run,rule ${good}`, /line 1: the second word takes scopes with commas between them: run,read,write,delete/],
    [`ci ${good} run`, /line 1: the second word takes scopes/],
    [`a/b run ${good}`, /line 1: a name has at most 31/],
    [`${good} run ci`, /line 1: a name has at most 31/],
    [`${good.slice(0, 32)} run ${tokenOf("other")}`, /line 1: a name has at most 31/],
    ["ci run 0123456789", /line 1: the token must have 32 characters or more/],
    ["0123456789 run ci", /line 1: the token must have 32 characters or more/],
    [`ci run ${good}ü`, /line 1: the token must have/],
    [`ci run ${good}\nci read ${tokenOf("other")}`, /line 2 has the name of line 1; give each line its own/],
    [`ci run ${good}\n\nyou read ${good}`, /line 3 has the token of line 1; give each line its own/],
  ] as const) {
    assert.throws(
      () => Tokens.parse(text, "f"),
      ({ message }: Error) => pattern.test(message) && !message.includes("0123456789"),
      text,
    );
  }
});

test("a name of 31 characters is one", () => {
  const name = "n".repeat(31);
  assert.is(Tokens.parse(`${name} run ${tokenOf("one")}`, "f").find(tokenOf("one"))?.name, name);
});

test("a token is found whichever line it has", () => {
  const tokens = Tokens.parse(lines.join("\r\n"), "f");
  for (const name of ["run", "read", "write", "delete", everything]) assert.is(tokens.find(tokenOf(name))?.name, name);
  assert.is(tokens.find(""), undefined);
});

test("other schemes of authorization are no token", async ({ fake }) => {
  const client = new FlightClient(fake.server.port);
  const basic = new Metadata();
  basic.set("authorization", `Basic ${tokenOf(everything)}`);
  const { path, requestSerialize, responseDeserialize } = flightService.listFlights;
  const call = client.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {}, basic);
  assert.is((await errorOf(all<FlightData>(call))).code, status.UNAUTHENTICATED);
  client.close();
});

test("a client without a token that keeps refused calls open and sends on holds up nobody", async (context) => {
  const session = connect(`http://127.0.0.1:${context.fake.server.port}`);
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  assert.is(session.remoteSettings.maxConcurrentStreams, streamLimit);
  const headers = { ":method": "POST", ":path": flightService.doPut.path, "content-type": "application/grpc", te: "trailers" };
  const answers = Array.from({ length: streamLimit }, async () => {
    const stream = session.request(headers, { endStream: false });
    stream.on("error", () => undefined).resume();
    stream.write(Buffer.alloc(10_000));
    const answer = await new Promise<Record<string, unknown>>((resolve) => void stream.once("response", resolve));
    return Number(answer["grpc-status"]);
  });
  assert.equal([...new Set(await Promise.all(answers))], [status.UNAUTHENTICATED]);
  assert.ok((await callMake(clientOf(context, "run"))).length > 1);
  session.destroy();
});

test.run();
