import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { program } from "./fixtures/program.ts";
import { runMbs } from "./fixtures/run-mbs.ts";

const datasets = fileURLToPath(new URL("../../../datasets/", import.meta.url));
const model = join(datasets, "controlled-llama");
const evaluation = ["evaluate", "--model", model, "--corpus", join(datasets, "controlled-texts/heldout.yaml")];

// on Linux a loader of Vulkan that names no driver finds none; macOS has one in any case
(process.platform === "linux" ? test : (name: string) => test.skip(name))(
  "without a graphics processor it is said what is missing",
  () => {
    const env = { ...process.env, VK_ICD_FILENAMES: "/nowhere", VK_DRIVER_FILES: "/nowhere" };
    for (const command of [evaluation, ["generate", "--model", model, "One"], ["doctor"]]) {
      const given = [program, ...command, "--device", "webgpu"];
      const { status, stdout, stderr } = spawnSync(process.execPath, given, { env, encoding: "utf8" });
      assert.is(status, 65, stderr);
      const text = command[0] === "doctor" ? stdout : stderr;
      const wanted =
        process.arch === "x64"
          ? /--device webgpu: ONNX Runtime finds no graphics processor; install its driver .*, or leave out --device/
          : /--device webgpu: ONNX Runtime .* has no WebGPU for linux arm64, .*; leave out --device/;
      assert.match(text, wanted);
    }
  },
);

(process.platform === "linux" ? test : (name: string) => test.skip(name))(
  "without a graphics processor an estimate computes with a published rate, and says so",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "device-test-"));
    const recipe = join(folder, "recipe.yaml");
    const texts = join(datasets, "controlled-texts/calibration.yaml");
    const sample = { mix: "only:en", segments: 2, length: 32 };
    const given = { model, corpus: texts, sample, compress: { solver: "gptq", bits: 3 }, output: join(folder, "out") };
    // YAML reads JSON
    await writeFile(recipe, JSON.stringify(given));
    const env = { ...process.env, VK_ICD_FILENAMES: "/nowhere", VK_DRIVER_FILES: "/nowhere" };
    const estimate = (...flags: string[]) =>
      spawnSync(process.execPath, [program, "estimate", recipe, ...flags], { env, encoding: "utf8" });
    const { stdout, stderr } = estimate("--device", "webgpu");
    assert.match(stdout, /graphics {2}there is none here; computed with 2600 GFLOPS in products, .* Apple's M2\n/, stderr);
    assert.match(stdout, /MB of its memory; .* copied there and .* back\n/);
    assert.match(stdout, /time: copies/);
    // what a run would take
    assert.not.match(estimate("--device", "auto").stdout, /graphics|copies/);
    await rm(folder, { recursive: true });
  },
);

test("a server has its own device, and so has a worker of a queue", async () => {
  const remote = await runMbs([...evaluation, "--device", "webgpu", "--via", "grpc://127.0.0.1:1"]);
  assert.match(remote.stderr, /--device does not go with --via: a server computes on its processors/);
  const queued = ["run", "r.yaml", "--device", "webgpu", "--engine", "queue", "--queue", "redis://h:1", "--store", "/s"];
  assert.match((await runMbs(queued)).stderr, /at a queue each worker has its own device, which mbs work is given by --device/);
});

test("stages that run no model have no device", async () => {
  const { code, stderr } = await runMbs(["factor", "--device", "webgpu"]);
  assert.is.not(code, 0);
  assert.match(stderr, /unknown option '--device'/);
});

test.run();
