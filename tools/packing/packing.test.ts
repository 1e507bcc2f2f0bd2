import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { emptyProject, packAll, readManifests } from "./tarballs.ts";
import type { Manifest } from "./tarballs.ts";

const root = resolve(import.meta.dirname, "../..");
const manifests = readManifests(root);

/** A package and every package of this project that it needs. */
function closure(name: string, seen = new Set<string>()): Set<string> {
  seen.add(name);
  for (const needed of Object.keys(manifests.get(name)?.dependencies ?? {})) {
    if (manifests.has(needed) && !seen.has(needed)) closure(needed, seen);
  }
  return seen;
}

/** Tarballs of the named packages. */
const tarballsOf = (tarballs: ReadonlyMap<string, string>, names: Iterable<string>): string[] =>
  [...names].map((name) => {
    const tarball = tarballs.get(name);
    assert.ok(tarball, `${name} was not packed`);
    return tarball;
  });

const packing = suite<{ work: string; tarballs: Map<string, string>; project: string }>("packed packages");

packing.before((context) => {
  context.work = mkdtempSync(join(tmpdir(), "mbs-packing-"));
  context.tarballs = packAll(root, manifests.keys(), context.work);
  context.project = emptyProject(context.work, context.tarballs.values());
});

packing.after(({ work }) => rmSync(work, { recursive: true, force: true }));

/** Compresses a model whose sites are large enough for two threads: a worker starts from a file of the package. */
const twoThreads = `
  import { compress } from "@mbs/compression";
  import { writeTinyModel } from "@mbs/models/testing";
  await writeTinyModel("model", { blocks: 1, hiddenSize: 512 });
  const context = { signal: new AbortController().signal, progress() {}, warn() {}, threads: 2 };
  const { layers } = await compress.run({}, { model: "model", solver: "rtn", bits: 3, withoutFactors: true }, context);
  for await (const batch of layers.batches) void batch;
`;

packing("every package installs into an empty project, loads, and has types", ({ tarballs, project }) => {
  assert.equal([...tarballs.keys()].toSorted(), [...manifests.keys()].toSorted());
  const entries = [...manifests.values()].flatMap(({ name, exports }) =>
    Object.keys(exports).map((entry) => name + entry.slice(1)),
  );
  writeFileSync(join(project, "load.mjs"), entries.map((entry) => `await import(${JSON.stringify(entry)});`).join("\n"));
  execFileSync(process.execPath, ["load.mjs"], { cwd: project, stdio: "pipe" });
  writeFileSync(join(project, "threads.mjs"), twoThreads);
  execFileSync(process.execPath, ["threads.mjs"], { cwd: project, stdio: "pipe" });
  writeFileSync(
    join(project, "types.ts"),
    entries
      .map((entry, index) => `import * as package${index} from ${JSON.stringify(entry)};\nexport { package${index} };`)
      .join("\n"),
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node"];
  const typeRoots = ["--typeRoots", join(root, "node_modules/@types")];
  execFileSync(process.execPath, [tsc, ...flags, ...typeRoots, "types.ts"], { cwd: project, stdio: "pipe" });
});

/** Packages that have an install script and work without it; others would not work after `npm install --ignore-scripts`. */
const workWithoutScript = [
  // its script fetches CUDA on Linux x64, which is not used; the library for the processor is in the package
  "onnxruntime-node",
  // only prints a warning about versions
  "protobufjs",
];

packing("nothing that is installed needs an install script, and mbs starts and finds ONNX Runtime", ({ project }) => {
  const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const withScript = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  const names = new Set(withScript.map(([path]) => path.replace(/^.*node_modules\//, "")));
  assert.equal([...names].toSorted(), workWithoutScript);
  const mbs = join(project, "node_modules/.bin/mbs");
  assert.match(execFileSync(mbs, ["--help"], { cwd: project, encoding: "utf8" }), /^Usage: mbs COMMAND/);
  assert.match(
    execFileSync(mbs, ["doctor"], { cwd: project, encoding: "utf8" }),
    /\nONNX Runtime +\d+\.\d+\.\d+; telemetry off\nprocessor /,
  );
  // as after an install that was cut short
  rmSync(join(project, "node_modules/onnxruntime-node/bin"), { recursive: true });
  for (const [args, remedy] of [
    [["doctor"], /→ ONNX Runtime does not load \(.*; install again: npm install --ignore-scripts mbs/],
    [["capture", "--model", "m"], /ONNX Runtime does not load \(.*; install again: npm install --ignore-scripts mbs/],
  ] as const) {
    const { status, stdout, stderr } = spawnSync(mbs, args, {
      cwd: project,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    assert.is(status, 65, args.join(" "));
    assert.match(stdout + stderr, remedy);
  }
});

packing(
  "every tarball has its licence and README, the sources that its maps and conditions name, and no record of a build",
  ({ work, tarballs }) => {
    const licence = readFileSync(join(root, "LICENSE"), "utf8");
    for (const [name, tarball] of tarballs) {
      const folder = mkdtempSync(join(work, "inside-"));
      execFileSync("tar", ["-xzf", tarball, "-C", folder]);
      const inside = join(folder, "package");
      const files = readdirSync(inside, { recursive: true, encoding: "utf8" });
      assert.is(readFileSync(join(inside, "LICENSE"), "utf8"), licence, name);
      assert.ok(files.includes("README.md"), name);
      assert.equal(
        files.filter((file) => /tsbuildinfo$|\.test\.|node_modules/.test(file)),
        [],
        name,
      );
      for (const file of files.filter((path) => path.endsWith(".map"))) {
        const { sources } = JSON.parse(readFileSync(join(inside, file), "utf8")) as { sources: string[] };
        for (const source of sources) assert.ok(existsSync(join(inside, dirname(file), source)), `${name}: ${file}: ${source}`);
      }
      const { exports } = JSON.parse(readFileSync(join(inside, "package.json"), "utf8")) as Manifest;
      for (const entry of Object.values(exports)) {
        for (const path of Object.values(entry as Record<string, string>))
          assert.ok(existsSync(join(inside, path)), `${name}: ${path}`);
      }
    }
  },
);

packing("the solvers alone need no engine, no Arrow and no model code", ({ work, tarballs }) => {
  const names = closure("@mbs/solvers");
  assert.equal([...names].toSorted(), ["@mbs/contracts", "@mbs/gguf", "@mbs/numbers", "@mbs/solvers"]);
  const project = emptyProject(work, tarballsOf(tarballs, names));
  const script = `import { gptq } from "@mbs/solvers/gptq"; console.log(gptq.name);`;
  writeFileSync(join(project, "load.mjs"), script);
  assert.is(execFileSync(process.execPath, ["load.mjs"], { cwd: project, encoding: "utf8" }).trim(), "gptq");
});

packing.run();
