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
    new RegExp(`${weights} is not as the run wrote it: .*; move ${output}/model away and run again to have it written again\n$`),
  );
  assert.equal(await readFile(join(output, "scores.arrow")), scores);

  await rename(join(output, "model"), path("away"));
  await done(["run", path("flipped.yaml"), "--quiet"]);
  for (const name of ["model/model.safetensors", "scores.arrow"]) {
    assert.equal(await readFile(join(output, name)), await readFile(join(path("whole"), name)), name);
  }
});

test("damaged layers that a run reads, and what a damaged manifest does not name, are made again with a line", async ({
  path,
}) => {
  const output = path("flipped");
  const { layers } = JSON.parse(await readFile(path("away/mbs.json"), "utf8")) as { layers: [{ address: string }] };
  const [layer, manifest] = [join(output, "run/artifacts", `${layers[0].address}.arrow`), join(output, "run/manifest.json")];
  const repairs = [
    [() => flipBit(layer), `: ${layer} was damaged and is removed; the run in ${output} makes it again\n`],
    [() => writeFile(manifest, "null"), ` ${manifest} is damaged; what it does not name any more is made again\n`],
  ] as const;
  for (const [damage, said] of repairs) {
    await rm(join(output, "model"), { recursive: true });
    await damage();
    const { code, stderr } = await mbs(["run", path("flipped.yaml")]);
    assert.is(code, 0, stderr);
    assert.match(stderr, said);
    for (const name of ["model/model.safetensors", "scores.arrow"]) {
      assert.equal(await readFile(join(output, name)), await readFile(join(path("whole"), name)), name);
    }
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
