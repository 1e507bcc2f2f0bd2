import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collect, readFiles, readLayers } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runStage, segmentsFor, stage } from "./fixtures/stage-runs.ts";

const root = await mkdtemp(join(tmpdir(), "mbs-imatrix-"));
test.after(() => rm(root, { recursive: true }));

/** Masks of Wanda by tensor. */
async function masksOf(statistics: ArtifactStream, model: string): Promise<ReadonlyMap<string, unknown>> {
  const factors = await stage("factor", "statistics", statistics, { mix: "en=0.5,mr=0.5", upper: "off" });
  const layers = await stage("compress", "factors", factors, { model, solver: "wanda", sparsity: 0.5 });
  return new Map((await collect(readLayers(layers))).map(({ tensor, mask }) => [tensor, mask]));
}

test("a matrix of llama.cpp serves a solver that needs diagonals alone as the statistics themselves do", async () => {
  const folder = join(root, "tiny");
  await writeTinyModel(folder, { seed: 5 });
  const model = await openModel(folder);
  await model.close();
  const capture = () => stage("capture", "source", segmentsFor(model), { model: folder, statistics: "diagonal" });
  const files = await stage("imatrix", "statistics", await capture(), { model: folder, each: true });
  const paths = new Map<string, string>();
  for (const { path, data, offset } of await collect(readFiles(files))) {
    paths.set(path, join(root, path));
    await writeFile(join(root, path), data, { flag: offset === 0 ? "w" : "a" });
  }
  assert.equal([...paths.keys()], ["imatrix.gguf", "imatrix-en.gguf", "imatrix-mr.gguf"]);
  const matrices = [...paths.values()].slice(1);
  const masks = await masksOf(await runStage("read-imatrix", {}, { model: folder, imatrix: matrices }), folder);
  assert.is(masks.size, 8);
  assert.ok([...masks.values()].every((mask) => mask !== undefined));
  assert.equal(masks, await masksOf(await capture(), folder));
});

test.run();
