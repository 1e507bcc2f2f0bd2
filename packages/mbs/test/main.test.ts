import { execFile, spawn } from "node:child_process";
import { mkdtemp, open, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commands } from "../src/commands.ts";
import { loadStages, stages } from "../src/stages.ts";
import { version } from "../src/version.ts";
import { installedProgram } from "./fixtures/program.ts";
import { runMbs } from "./fixtures/run-mbs.ts";

test("the version is the package's", async () => {
  const { version: stated } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  assert.is(version, stated);
  assert.is((await runMbs(["--version"], undefined, installedProgram)).stdout.toString(), `${version}\n`);
});

test("help answers without loading what a command needs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-help-"));
  try {
    // Node's own record of every script that ran.
    const environment = { ...process.env, NODE_V8_COVERAGE: folder };
    const { stdout } = await promisify(execFile)(process.execPath, [installedProgram, "--help", "--all"], { env: environment });
    for (const name of commands.keys()) assert.match(stdout, new RegExp(`^  ${name}\\b`, "m"));
    const [report = ""] = await readdir(folder);
    const { result } = JSON.parse(await readFile(join(folder, report), "utf8")) as { result: { url: string }[] };
    const packages = result.map(({ url }) => /(?:packages|node_modules)\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]).filter(Boolean);
    const folders = await readdir(fileURLToPath(new URL("../../", import.meta.url)));
    assert.equal(folders.filter((name) => packages.includes(name)).sort(), ["contracts", "host-cli", "mbs"]);
    const foreign = packages.filter((name) => name !== undefined && !folders.includes(name));
    assert.equal([...new Set(foreign)], ["commander"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("every command has help with examples, and stages say what the overview says they are", async () => {
  const signal = new AbortController().signal;
  for (const [name, entry] of commands) {
    let help = "";
    const command = await (await entry.load())({ argv: [], signal });
    command.configureOutput({ writeOut: (text) => void (help += text) });
    command.outputHelp();
    assert.match(help, `Usage: mbs ${name}`);
    assert.match(help, new RegExp(`Examples:\\n  mbs ${name}|Examples:\\n(.*\\n)*.*mbs ${name}`), name);
    assert.match(help, "--quiet", name);
    // whatever a command opens by the name of a model, of texts or of a recipe may be on the Hub
    assert.is(help.includes("--offline"), / --(?:model|corpus|texts) <| <recipe>/.test(help), name);
  }
  for (const [name, { load, summary }] of stages) {
    const stage = await load();
    assert.is(stage.name, name);
    assert.is(stage.summary, summary, `${name} in stages.ts`);
  }
});

test("descriptions are phrases: no capital, no full stop", async () => {
  for (const { options, inputs, outputs } of (await loadStages()).values()) {
    for (const { description } of [options, inputs, outputs].flatMap((table) => Object.values(table))) {
      assert.not.match(description, /^[A-Z][a-z ]|\.$/, description);
    }
  }
});

test("a misspelt command or option is met with a suggestion and 2", async () => {
  const command = await runMbs(["comprss"]);
  assert.is(command.code, 2);
  assert.is(command.stderr, 'mbs: unknown command "comprss"; did you mean compress? mbs --help --all lists all commands\n');
  const option = await runMbs(["compress", "--solvr", "gptq"]);
  assert.is(option.code, 2);
  assert.is(option.stderr, "mbs compress: unknown option '--solvr' (Did you mean --solver?)\n");
  const none = await runMbs([]);
  assert.is(none.code, 2);
  assert.match(none.stderr, /^mbs: which command\?/);
});

test("an empty argument is refused: it would be the current folder", async () => {
  for (const args of [
    ["shrink", "", "--languages", "hi", "--dry-run"],
    ["push", ".", ""],
    ["store", "verify", "", "--store", "x"],
  ]) {
    const { code, stderr } = await runMbs(args);
    assert.is(code, 2);
    assert.match(stderr, /^mbs \w+: the argument (model|target|addresses) is empty; it takes: /);
  }
});

test("bits for a solver that only prunes are met with those that round", async () => {
  const { code, stderr } = await runMbs(["compress", "--solver", "wanda", "--bits", "3"]);
  assert.is(code, 2);
  assert.match(
    stderr,
    /^mbs compress: wanda takes no --bits, since it does not round weights; gptq, .*, and sparsegpt prunes and/,
  );
});

test("an unknown command is 2 with a suggestion, also where help is asked for", async () => {
  for (const args of [
    ["nonsense", "--help"],
    ["help", "nonsense"],
    ["nonsense", "-h", "--quiet"],
  ]) {
    const { code, stdout, stderr } = await runMbs(args);
    assert.is(code, 2);
    assert.is(stdout.toString(), "");
    assert.is(stderr, 'mbs: unknown command "nonsense"; mbs --help --all lists all commands\n');
  }
  assert.is(
    (await runMbs(["help", "comprss"])).stderr,
    'mbs: unknown command "comprss"; did you mean compress? mbs --help --all lists all commands\n',
  );
  for (const [typed, meant] of Object.entries({ corpora: "sample", quantize: "shrink", eval: "evaluate" })) {
    assert.match((await runMbs([typed])).stderr, `; did you mean ${meant}? mbs --help`);
  }
  assert.match((await runMbs(["help", "compress"])).stdout.toString(), /^Usage: mbs compress /);
});

const shown = async (...args: string[]): Promise<string> => (await runMbs(args)).stdout.toString();

test("help lists the stages where all is asked for, and says so", async () => {
  const [short, all] = [await shown("--help"), await shown("--help", "--all")];
  assert.match(short, /\n {2}shrink .*\nThe \d+ stages of a run are commands too: mbs --help --all lists them\.\n/s);
  assert.not.match(short, /\n {2}propagate /);
  assert.match(all, /\n {2}shrink .*\nStages of a run:\n.*\n {2}propagate /s);
  assert.not.match(all, /commands too/);
  for (const args of [["--all"], ["--all", "--help"], ["help", "--all"]]) assert.is(await shown(...args), all);
});

test("help and version on a full disk are 74", async () => {
  const full = await open("/dev/full", "w");
  for (const args of [["--help"], ["--version"], ["run", "--help"], ["help", "capture"]]) {
    const child = spawn(process.execPath, [installedProgram, ...args], { stdio: ["ignore", full.fd, "pipe"] });
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    assert.is(code, 74, args.join(" "));
    assert.match(stderr, /^mbs[ a-z]*: disk full: [^\n]*\n$/);
  }
  await full.close();
});

test("a solver's options are in help once it is named", async () => {
  const { stdout } = await runMbs(["compress", "--solver", "wanda", "--help"]);
  assert.match(stdout.toString(), /--use-variant/);
  assert.not.match(stdout.toString(), /--group-size </);
});

test("a server that is not there is 75", async () => {
  const sample = await runMbs(["sample", "--model", "no-such", "--corpus", "no-such", "--via", "grpc://127.0.0.1:1"]);
  assert.is(sample.code, 75, sample.stderr);
  assert.match(sample.stderr, /^mbs sample: grpc:\/\/127.0.0.1:1: [^\n]*is the server running there\?\n$/);
});

test.run();
