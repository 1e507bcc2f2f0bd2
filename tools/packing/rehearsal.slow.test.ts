import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import type { Callback } from "uvu";
import * as assert from "uvu/assert";
import { registryAnswers, startRegistry } from "./local-registry.ts";
import type { LocalRegistry } from "./local-registry.ts";
import { readManifests } from "./tarballs.ts";

const root = resolve(import.meta.dirname, "../..");
const manifests = readManifests(root);
const controlledIn = (project: string): string =>
  join(project, "node_modules/@mbs/controlled-models/generated/datasets/controlled-llama");
const reachable = registryAnswers(root);
if (!reachable) {
  process.stderr.write("release rehearsed: skipped, the registry that npm is set to use does not answer; connect to a network\n");
}

interface Context {
  work: string;
  /** A user's folder, empty at first. */
  project: string;
  registry: LocalRegistry;
}

const rehearsal = suite<Context>("release rehearsed");
const test = (name: string, action: Callback<Context>): void => (reachable ? rehearsal(name, action) : rehearsal.skip(name));

rehearsal.before(async (context) => {
  if (!reachable) return;
  context.work = mkdtempSync(join(tmpdir(), "mbs-rehearsal-"));
  context.registry = await startRegistry(context.work, manifests.keys());
  context.project = join(context.work, "project");
  mkdirSync(context.project);
});

rehearsal.after(async ({ work, registry }) => {
  await registry?.close();
  if (work !== undefined) rmSync(work, { recursive: true, force: true });
});

test("all packages are published, and mbs installs from there in an empty folder", ({ project, registry }) => {
  const publish = (): string =>
    execFileSync(join(root, "scripts/publish"), { env: registry.environment, encoding: "utf8", stdio: "pipe" });
  const all = [...manifests].map(([name, { version }]) => `+ ${name}@${version}`);
  assert.equal(publish().trim().split("\n").toSorted(), all.toSorted());
  // as after a failure in the middle: what is there is passed over, and only its version is printed
  assert.equal(new Set(publish().trim().split("\n")), new Set([...manifests.values()].map(({ version }) => version)));
  // the line of docs/install.md, and the models to try it with
  registry.npm(project, "install", "--ignore-scripts", "mbs", "@mbs/controlled-models");
  for (const name of Object.keys(manifests.get("mbs")?.dependencies ?? {})) {
    assert.ok(existsSync(join(project, "node_modules", name)), name);
  }
});

test("mbs shrink makes the controlled model smaller there", ({ project }) => {
  const args = ["shrink", controlledIn(project), "--languages", "en,ru", "--bits", "4", "--to", "gptq"];
  const mbs = join(project, "node_modules/.bin/mbs");
  const said = execFileSync(mbs, [...args, "--output", "small"], { cwd: project, encoding: "utf8", stdio: "pipe" });
  assert.match(said, /^size: 8\.40 MB → 3\.\d\d MB/m);
});

/** Prints how many nats a token of a sentence takes, of each model that it is given. */
const program = `
import { openModel, runBlocks } from "@mbs/models";
for (const path of process.argv.slice(2)) {
  const model = await openModel(path);
  const tokens = (await model.tokenizer()).encode("In the beginning all people are born free and equal.");
  const forward = await model.forward({ threads: 1 });
  const { inputs, scored } = (await model.passages()).ofSegment(tokens, [0]);
  const nats = await forward.score(await runBlocks(model, forward, inputs), scored);
  console.log(nats.reduce((sum, each) => sum + each, 0) / nats.length);
}
`;

test("a program of ten lines scores a sentence with the source and with what was made", ({ project }) => {
  writeFileSync(join(project, "program.mjs"), program);
  const args = ["program.mjs", controlledIn(project), "small/shrunk/model"];
  // where colours are asked for, as by nx, a number is printed in one
  const said = execFileSync(process.execPath, args, {
    cwd: project,
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
  const [source = NaN, small = NaN] = said.trim().split("\n").map(Number);
  assert.ok(source > 0 && small > 0 && small !== source, said);
  // 4 bits cost 0.003 to 0.01 nats in the mean of a language; a sentence may differ by more, a wrong model by nats
  assert.ok(Math.abs(small - source) < 0.5, said);
});

rehearsal.run();
