import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hubVariables, startHubStub, stubCommit } from "@mbs/hub/testing";
import type { HubStub } from "@mbs/hub/testing";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { program } from "../fixtures/program.ts";
import { runMbs as runCommand } from "../fixtures/run-mbs.ts";

interface Context {
  root: string;
  stub: HubStub;
}
const test = suite<Context>("models and texts of the Hub");
const variables = hubVariables();
/** In a process of its own: one remembers the commits of branches, and whether it may use the network. */
const runMbs = (args: readonly string[]) => runCommand(args, undefined, program);

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

test("shrink asks a dataset for the languages that it protects", async ({ root }) => {
  const texts = ["--texts", "hf:datasets/org/texts?split=train", "--languages", "en,mr"];
  const output = join(root, "small");
  const { code, stderr } = await runMbs([
    "shrink",
    join(root, "model"),
    ...texts,
    "--to",
    "gptq",
    "--dry-run",
    "--output",
    output,
  ]);
  assert.is(code, 0, stderr);
  assert.match(stderr, /\nlanguages {2}en, mr, as much text of each;/);
  const fetched = join(root, "home/hub/datasets--org--texts/snapshots", stubCommit, "mr/train.jsonl");
  assert.match(await readFile(fetched, "utf8"), /खिडकी/);
});

test("exported commands name the commit, and a revision of a manifest without one is reported", async ({ root }) => {
  const path = join(root, "recipe.yaml");
  const manifest = join(root, "texts.yaml");
  await writeFile(manifest, "languages:\n  en: hf:datasets/org/texts@v1?path=en/test.jsonl\n");
  await writeFile(
    path,
    `model: ${join(root, "model")}
corpus: hf:datasets/org/texts?languages=en,mr
sample: { mix: equal, segments: 4, length: 32 }
compress: { solver: rtn, group-size: 16 }
evaluate: { corpus: ${manifest}, length: 32 }
output: ${join(root, "out")}
`,
  );
  const flags = ["--export", "argo", "--node-memory", "1GiB", "--threads", "1", "--mount"];
  const outside = await runMbs(["run", path, ...flags, root]);
  assert.is(outside.code, 2);
  assert.match(outside.stderr, /, the working directory, is not in /);
  const { code, stdout, stderr } = await runMbs(["run", path, ...flags, "/"]);
  assert.is(code, 0, stderr);
  assert.ok(stdout.toString().includes(`--corpus 'hf:datasets/org/texts@${stubCommit}?languages=en,mr'`), stdout.toString());
  assert.match(stderr, `every machine that runs nodes fetches hf:datasets/org/texts@${stubCommit}?languages=en,mr from the Hub`);
  assert.match(stderr, /a manifest names datasets\/org\/texts@v1 without a commit; give it one/);
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

/** Another commit, with other content. */
const nextCommit = "fedcba9876543210fedcba9876543210fedcba98";

/** The lines of a language's file, written over so that nothing of it is the same. */
function changeTexts({ files }: HubStub, path: string): void {
  const lines = Array.from({ length: 30 }, (_, row) => JSON.stringify({ text: `Ein ganz anderer Satz mit Nummer ${row}.` }));
  files.set(path, Buffer.from(lines.join("\n")));
}

test("an unfinished run goes on with the commit that it began with, and --force takes the newest", async ({ root, stub }) => {
  const manifest = join(root, "texts.yaml");
  await writeFile(manifest, "languages: { en: hf:datasets/org/texts?path=en/train.jsonl }\n");
  const path = join(root, "recipe.yaml");
  const write = (output: string, revision: string): Promise<void> =>
    writeFile(
      path,
      `model: ${join(root, "model")}
corpus: ${manifest}
sample: { mix: equal, segments: 4, length: 32 }
compress: { solver: rtn, group-size: 16 }
evaluate: { corpus: "hf:datasets/org/texts${revision}?languages=en,mr&split=test", length: 32 }
output: ${join(root, output)}
`,
    );
  const run = (...flags: string[]) => runMbs(["run", path, "--threads", "1", ...flags]);
  const scores = (output: string): Promise<Buffer> => readFile(join(root, output, "scores.arrow"));
  await write("whole", `@${stubCommit}`);
  assert.is((await run()).code, 0);

  // the texts that are read last are denied, so that the run ends in the middle
  await rm(join(root, "home"), { recursive: true });
  stub.statuses.set("en/test.jsonl", [403]);
  await write("out", "");
  const broken = await run();
  assert.is(broken.code, 65, broken.stderr);
  assert.match(broken.stderr, "answers 403");

  stub.moveBranches(nextCommit);
  for (const file of ["en/train.jsonl", "en/test.jsonl", "mr/test.jsonl"]) changeTexts(stub, file);
  const asked = stub.requests.length;
  const resumed = await run("--json");
  assert.is(resumed.code, 0, resumed.stderr);
  assert.equal(await scores("out"), await scores("whole"));
  const reports = resumed.stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; seconds?: number });
  assert.equal(
    reports.filter(({ seconds }) => seconds !== undefined).map(({ id }) => id),
    ["evaluate"],
  );
  assert.not(stub.requests.slice(asked).some((request) => /\/revision\/|fedcba/.test(request)));
  assert.match(await readFile(join(root, "out", "recipe.yaml"), "utf8"), `org/texts@${stubCommit}?languages=en,mr&split=test`);
  // the estimate is one of the same rows
  assert.is((await runMbs(["estimate", path, "--threads", "1", "--offline"])).code, 0);

  const forced = await run("--force");
  assert.is(forced.code, 0, forced.stderr);
  assert.match(await readFile(join(root, "out", "recipe.yaml"), "utf8"), `org/texts@${nextCommit}?languages=en,mr&split=test`);
  assert.not.equal(await scores("out"), await scores("whole"));
});

test("a run of a model on the Hub keeps its commit", async ({ root, stub }) => {
  await stub.close();
  const models = await startHubStub("org/model");
  process.env["HF_ENDPOINT"] = models.url;
  try {
    const fill = async (folder: string): Promise<void> => {
      for (const file of await readdir(folder)) models.files.set(file, await readFile(join(folder, file)));
    };
    await fill(join(root, "model"));
    await mkdir(join(root, "texts"));
    const lines = Array.from({ length: 30 }, (_, row) => `A sentence with the number ${row}.`);
    await writeFile(join(root, "texts", "en.txt"), lines.join("\n\n"));
    const path = join(root, "recipe.yaml");
    await writeFile(
      path,
      `model: hf:org/model
corpus: ${join(root, "texts")}
sample: { mix: equal, segments: 4, length: 32 }
compress: { solver: rtn, group-size: 16 }
output: ${join(root, "out")}
`,
    );
    const first = await runMbs(["run", path, "--threads", "1", "--json"]);
    assert.is(first.code, 0, first.stderr);
    assert.match(await readFile(join(root, "out", "recipe.yaml"), "utf8"), `model: hf:org/model@${stubCommit}\n`);
    await writeTinyModel(join(root, "other"), { contextLength: 32, seed: 7 });
    models.moveBranches(nextCommit);
    await fill(join(root, "other"));
    const again = await runMbs(["run", path, "--threads", "1", "--json"]);
    assert.is(again.code, 0, again.stderr);
    assert.not(again.stdout.toString().includes("seconds"));
  } finally {
    await models.close();
  }
});

test.run();
