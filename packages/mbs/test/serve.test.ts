import type { ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeAuthority, makeCertificate, writePair } from "../../../tools/test/certificates.ts";
import { runMbs, startMbs } from "./fixtures/run-mbs.ts";

interface Context {
  folder: string;
  server: ChildProcess;
  /** All that the server has written. */
  log: string[];
  via: string;
  ca: string;
  tokenFile: string;
  sample: readonly string[];
}

const test = suite<Context>("serve");

const token = "0123456789abcdef".repeat(2);

test.before(async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-serve-"));
  const corpora = join(folder, "corpora");
  const model = join(folder, "models", "tiny");
  await mkdir(join(corpora, "texts"), { recursive: true });
  await writeTinyModel(model, { seed: 1 });
  await writeFile(join(corpora, "texts", "en.txt"), "Some words of a text.\n".repeat(50));
  const authority = await makeAuthority("test");
  const { cert, key } = await writePair(folder, "server", await makeCertificate(authority));
  const [ca, tokenFile, tokens] = [join(folder, "ca.pem"), join(folder, "mine"), join(folder, "tokens")];
  await writeFile(ca, authority.cert);
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  await writeFile(tokens, `me run ${token}\n`, { mode: 0o600 });
  const roots = ["--model-root", join(folder, "models"), "--corpus-root", corpora, "--store", join(folder, "store")];
  const safety = ["--cert", cert, "--key", key, "--tokens", tokens];
  const server = startMbs(["serve", "--listen", "0.0.0.0:0", ...safety, ...roots]);
  const log: string[] = [];
  const address = await new Promise<string>((resolve, reject) => {
    server.stderr?.on("data", (chunk: Buffer) => {
      log.push(chunk.toString());
      const found = /grpcs:\/\/\S+/.exec(log.join(""));
      if (found) resolve(found[0]);
    });
    server.on("close", () => reject(new Error(log.join(""))));
  });
  const sample = [
    "sample",
    "--model",
    model,
    "--corpus",
    join(corpora, "texts"),
    "--mix",
    "equal",
    "--reuse",
    "--segments",
    "4",
    "--length",
    "16",
  ];
  Object.assign(context, { folder, server, log, via: address.replace("0.0.0.0", "127.0.0.1"), ca, tokenFile, sample });
});
test.after(async ({ server, folder }) => {
  const closed = new Promise((resolve) => server.on("close", resolve));
  server.kill("SIGINT");
  assert.is(await closed, 130);
  await rm(folder, { recursive: true });
});

test("a stage runs on a server with TLS and tokens, to the same bytes as here; the log has no token", async (context) => {
  const { sample, via, ca, tokenFile, log } = context;
  const here = await runMbs(sample);
  const there = await runMbs([...sample, "--via", via, "--ca", ca, "--token-file", tokenFile]);
  assert.is(there.code, 0, there.stderr);
  assert.ok(there.stdout.equals(here.stdout));
  assert.not.match(log.join(""), new RegExp(token));
});

test("without token or authority --via is denied, 77", async ({ sample, via, ca, tokenFile }) => {
  for (const [flags, pattern] of [
    [["--ca", ca], /^mbs sample: grpcs:\S+: the call has no token; [^\n]*--token-file FILE\)\n$/],
    [
      ["--token-file", tokenFile],
      /^mbs sample: grpcs:\S+: its certificate is signed by none of the authorities known here; [^\n]*--ca\n$/,
    ],
  ] as const) {
    const ended = await runMbs([...sample, "--via", via, ...flags]);
    assert.is(ended.code, 77, ended.stderr);
    assert.match(ended.stderr, pattern);
  }
});

test("files of a client without --via are a usage error", async ({ sample, ca }) => {
  const { code, stderr } = await runMbs([...sample, "--ca", ca]);
  assert.is(code, 2, stderr);
  assert.match(stderr, /--ca is for a call of a server; give --via too/);
});

test("options of serve that do not go together are refused before it listens", async ({ folder, ca }) => {
  const store = ["--store", join(folder, "other")];
  for (const [flags, code, pattern] of [
    [["--listen", "0.0.0.0:0"], 77, /will not listen at 0\.0\.0\.0 without TLS; give --cert and --key, .*--insecure/],
    [["--cert", ca], 2, /--cert and --key go together/],
    [["--client-ca", ca], 2, /--client-ca is for TLS; give --cert and --key too/],
    [["--call-bytes", "much"], 2, /--call-bytes takes a size such as 4GiB/],
    [["--threads", "1025"], 2, /--threads must be at least 1 and at most 1024, not 1025/],
    [["--children", "1025"], 2, /--children must be at least 1 and at most 1024, not 1025/],
  ] as const) {
    const ended = await runMbs(["serve", "--listen", "127.0.0.1:0", ...store, ...flags]);
    assert.is(ended.code, code, ended.stderr);
    assert.match(ended.stderr, pattern);
  }
});

test.run();
