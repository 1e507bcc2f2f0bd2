import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hubVariables, startHubStub, stubCommit } from "@mbs/hub/testing";
import type { HubStub } from "@mbs/hub/testing";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";

interface Context {
  root: string;
  stub: HubStub;
}
const test = suite<Context>("texts of the Hub");
const variables = hubVariables();

test.before.each(async (context) => {
  variables.clear();
  const { root } = Object.assign(context, { root: await mkdtemp(join(tmpdir(), "mbs-hub-")) });
  context.stub = await startHubStub("org/texts", "dataset");
  for (const [language, sentence] of [
    ["en", "The window shows all files of the folder."],
    ["mr", "खिडकी सर्व फाइल दाखवते."],
  ] as const) {
    for (const [split, count] of [
      ["train", 12],
      ["test", 8],
    ] as const) {
      const lines = Array.from({ length: count }, (_, row) => JSON.stringify({ text: `${sentence} ${split} ${row}` }));
      context.stub.files.set(`${language}/${split}.jsonl`, Buffer.from(lines.join("\n")));
    }
  }
  await writeTinyModel(join(root, "model"), { contextLength: 32 });
  process.env["HF_HOME"] = join(root, "home");
  process.env["HF_ENDPOINT"] = context.stub.url;
});
test.after.each(async ({ root, stub }) => {
  await stub.close();
  await rm(root, { recursive: true, force: true });
  variables.restore();
});

test("a recipe names a dataset; its record names the commit, and is run again without a network", async ({ root, stub }) => {
  const path = join(root, "recipe.yaml");
  const recipe = `model: ${join(root, "model")}
corpus: hf:datasets/org/texts?languages=en,mr
sample: { mix: equal, segments: 4, length: 32 }
compress: { solver: rtn, group-size: 16 }
evaluate: { corpus: "hf:datasets/org/texts?languages=en,mr&split=test", length: 32 }
output: ${join(root, "out")}
`;
  await writeFile(path, recipe);
  for (const command of ["estimate", "run"]) {
    const { code, stderr } = await runMbs([command, path, "--threads", "1"]);
    assert.is(code, 0, stderr);
  }
  const record = await readFile(join(root, "out", "recipe.yaml"), "utf8");
  assert.match(record, `corpus: hf:datasets/org/texts@${stubCommit}?languages=en,mr\n`);
  assert.match(record, `corpus: hf:datasets/org/texts@${stubCommit}?languages=en,mr&split=test\n`);
  await stub.close();
  process.env["HF_HUB_OFFLINE"] = "1";
  await writeFile(path, record.replace(join(root, "out"), join(root, "again")));
  const again = await runMbs(["run", path, "--threads", "1"]);
  assert.is(again.code, 0, again.stderr);
  const [first, second] = await Promise.all(
    ["out", "again"].map((folder) => readFile(join(root, folder, "model", "model.safetensors"))),
  );
  assert.equal(second, first);
});

test("texts that are not in the cache of an offline program, and those that are denied, end with one line", async ({
  root,
  stub,
}) => {
  const sample = (name: string, ...flags: string[]) =>
    runMbs(["sample", "--model", join(root, "model"), "--corpus", name, "--mix", "equal", "--segments", "2", ...flags]);
  const offline = await sample("hf:datasets/org/texts?languages=en", "--offline");
  assert.is(offline.code, 74);
  assert.match(offline.stderr, /hf:datasets\/org\/texts: revision main is not in .*; run once with a network\n$/);
  stub.token = "hf_x";
  const denied = await sample("hf:datasets/org/texts?languages=en");
  assert.is(denied.code, 65);
  assert.match(denied.stderr, /answers 401; check name and revision, and set HF_TOKEN where the dataset is private or gated\n$/);
  const unknown = await sample("hf:datasets/org/texts?language=en");
  assert.is(unknown.code, 2);
});

test.run();
