import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { open, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as assert from "uvu/assert";
import { done, faultSuite, mbs, refused } from "../fixtures/fault-suite.ts";
import { program } from "../fixtures/program.ts";

const test = faultSuite("faults 25, 30 and 31: damaged runs, two runs with one output");

const recipe = (model: string, corpus: string, output: string, windows: number): string =>
  [
    `model: ${model}`,
    `corpus: ${corpus}`,
    `output: ${output}`,
    "sample: { mix: equal, segments: 4, length: 32 }",
    "compress: { solver: rtn, group-size: 16 }",
    `evaluate: { corpus: ${corpus}, length: 32, windows: ${windows} }`,
  ].join("\n");

/** Flips one bit in the middle of a file. */
async function flipBit(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size >> 1);
    await file.write(Buffer.of(buffer.readUInt8() ^ 1), 0, 1, size >> 1);
  } finally {
    await file.close();
  }
}

test("one flipped bit in a finished run's model: another evaluate is 65, and the remedy of the message works", async ({
  model,
  corpus,
  path,
}) => {
  const [output, weights] = [path("flipped"), path("flipped/model/model.safetensors")];
  await writeFile(path("whole.yaml"), recipe(model, corpus, path("whole"), 2));
  await done(["run", path("whole.yaml"), "--quiet"]);
  await writeFile(path("flipped.yaml"), recipe(model, corpus, output, 1));
  await done(["run", path("flipped.yaml"), "--quiet"]);
  const scores = await readFile(join(output, "scores.arrow"));

  await flipBit(weights);
  await writeFile(path("flipped.yaml"), recipe(model, corpus, output, 2));
  await refused(
    ["run", path("flipped.yaml"), "--quiet"],
    65,
    new RegExp(`${weights} is not as the run wrote it: .*; move ${output}/model away and run again to have it written again`),
  );
  assert.equal(await readFile(join(output, "scores.arrow")), scores);

  await rename(join(output, "model"), path("away"));
  await done(["run", path("flipped.yaml"), "--quiet"]);
  for (const name of ["model/model.safetensors", "scores.arrow"]) {
    assert.equal(await readFile(join(output, name)), await readFile(join(path("whole"), name)), name);
  }
});

test("damaged layers that a run reads are 65; deleted as the message says, the run makes them again", async ({ path }) => {
  const output = path("flipped");
  await rm(join(output, "model"), { recursive: true });
  const artifacts = join(output, "run", "artifacts");
  const record = JSON.parse(await readFile(path("away/mbs.json"), "utf8")) as { layers: [{ address: string }] };
  const damaged = join(artifacts, `${record.layers[0].address}.arrow`);
  await flipBit(damaged);
  await refused(
    ["run", path("flipped.yaml"), "--quiet"],
    65,
    new RegExp(`${damaged} is damaged at byte \\d+; delete it and run again\n$`),
  );
  await rm(damaged);
  await done(["run", path("flipped.yaml"), "--quiet"]);
  for (const name of ["model/model.safetensors", "scores.arrow"]) {
    assert.equal(await readFile(join(output, name)), await readFile(join(path("whole"), name)), name);
  }
});

test("a damaged manifest is 65; deleted as the message says, or with --force, the run makes all again", async ({ path }) => {
  const manifest = path("flipped/run/manifest.json");
  for (const flags of [[], ["--force"]]) {
    await writeFile(manifest, "{");
    await refused(
      ["run", path("flipped.yaml"), "--quiet"],
      65,
      /manifest\.json is .*; delete it and run again, .*, or start over with --force\n$/,
    );
    if (flags.length === 0) await rm(manifest);
    await done(["run", path("flipped.yaml"), "--quiet", ...flags]);
    assert.equal(await readFile(path("flipped/scores.arrow")), await readFile(path("whole/scores.arrow")));
  }
});

test("31: of two runs with one output in two PID namespaces the second is 75; once the first is killed, it resumes", async ({
  model,
  corpus,
  path,
}) => {
  const namespace = ["--pid", "--fork", "--mount-proc", "--kill-child"];
  const may = spawnSync("unshare", [...namespace, "true"], { encoding: "utf8" });
  if (may.status !== 0)
    return console.log(`    a PID namespace cannot be made here (${may.error?.message ?? may.stderr.trim()})`);
  // a stage in native code handles no signal
  await writeFile(
    path("waiting.mjs"),
    `export default { name: "waiting", source: "here", summary: "waits", needs: [], options: {},
      solve() { if (process.env.WAIT) for (;;); throw new Error("not now"); } };\n`,
  );
  const text = recipe(model, corpus, path("locked"), 1).replace("rtn, group-size: 16", path("waiting.mjs"));
  await writeFile(path("locked.yaml"), text);
  const run = ["run", path("locked.yaml"), "--json"];
  const first = spawn("unshare", [...namespace, process.execPath, program, ...run], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, WAIT: "1" },
  });
  try {
    await once(createInterface(first.stdout), "line");
    await refused(run, 75, /locked is in use by process \d+ in another container; try again when it is done\n$/);
  } finally {
    first.kill("SIGKILL");
    await once(first, "exit");
  }
  // what unshare has started ends a moment later
  for (;;) {
    const { code, stdout, stderr } = await mbs(run);
    if (code === 75) continue;
    assert.match(stderr, /not now/, "it has come to the solver");
    assert.match(stdout, /"id":"sample"/);
    break;
  }
  assert.ok((await readdir(path("locked/run/artifacts"))).length > 0);
  assert.not((await readdir(path("."))).includes("locked.lock"));
});

test.run();
