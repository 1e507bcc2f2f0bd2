/**
 * Writes the folders that load_folders.py loads:
 * node --conditions=mbs-source --import tsx tools/format-loads/write-folders.ts FOLDER [TYPE or TYPE/CASE …]
 *
 * FOLDER/models has the models. FOLDER/folders/TYPE/CASE gets a folder for each format, and our own logits of the dense one.
 */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackFiles } from "@mbs/artifacts";
import { at, MbsError } from "@mbs/contracts";
import { openModel, runBlocks } from "@mbs/models";
import type { Model } from "@mbs/models";
import { assemble } from "../../packages/assembly/src/index.ts";
import { caseLayers, quietContext } from "../../packages/assembly/test/fixtures/quantised-model.ts";
import { concerns, loadCases, loadFormats } from "./cases.ts";
import type { LoadCase } from "./cases.ts";

const tokens = Int32Array.from({ length: 24 }, (_, index) => 4 + ((index * 37 + 5) % 50));

/** Logits of every position, [T, vocabulary]; an encoder-decoder's encoder reads the same tokens. */
async function ownLogits(folder: string): Promise<number[]> {
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 1 });
  try {
    const states = await runBlocks(model, forward, new Map(model.streams.map((stream) => [stream, tokens])));
    return [...(await forward.logits(states)).values].map((value) => Number(value.toPrecision(8)));
  } finally {
    await forward.close();
    await model.close();
  }
}

const blocksOf = (model: Model): ReadonlyMap<string, number> =>
  new Map(
    model.blocks.flatMap(({ sites }, block) =>
      sites.flatMap(({ weights }) => weights.map(({ tensor }) => [tensor, block] as const)),
    ),
  );

/** What was said where a format was refused, or nothing. */
async function writeFormat(model: Model, { rounding }: LoadCase, format: string, folder: string): Promise<string | undefined> {
  const blocks = blocksOf(model);
  const layers = caseLayers(model, {
    // Scales that half precision holds, so that every format stands for the same weights.
    scales: "f16",
    rounding(tensor) {
      const chosen = rounding(tensor, blocks.get(tensor) ?? 0);
      return chosen && { ...chosen, leastZero: 1 };
    },
  });
  try {
    const { files } = await assemble.run({ layers: [layers] }, { model: model.path, format, card: false }, quietContext);
    if (files === undefined) throw new Error("assemble wrote no files");
    await unpackFiles(files, folder, { force: true });
    return undefined;
  } catch (error) {
    if (!(error instanceof MbsError)) throw error;
    await rm(folder, { recursive: true, force: true });
    return error.message;
  }
}

/** The largest difference to the dense folder's logits when we read what we wrote; or what we said. */
async function readBack(folder: string, expected: readonly number[]): Promise<number | string> {
  try {
    const found = await ownLogits(folder);
    return Math.max(...found.map((value, index) => Math.abs(value - at(expected, index))));
  } catch (error) {
    if (error instanceof MbsError) return error.message;
    throw error;
  }
}

async function writeCase(model: Model, loadCase: LoadCase, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const refused: Record<string, string> = {};
  const own: Record<string, number | string> = {};
  let logits: number[] = [];
  for (const format of loadFormats) {
    const target = join(folder, format);
    const message = await writeFormat(model, loadCase, format, target);
    if (message !== undefined) refused[format] = message;
    else if (format === "dense") logits = await ownLogits(target);
    else if (format !== "onnx") own[format] = await readBack(target, logits);
  }
  const written = { kind: loadCase.kind, tokens: [...tokens], logits, refused, own };
  await writeFile(join(folder, "case.json"), `${JSON.stringify(written)}\n`);
}

const [root, ...wanted] = process.argv.slice(2);
if (root === undefined) throw new Error("name the folder with the models");
for (const type of await readdir(join(root, "models"))) {
  const cases = loadCases.filter(
    ({ name }) => wanted.length === 0 || wanted.includes(type) || wanted.includes(`${type}/${name}`),
  );
  if (cases.length === 0) continue;
  const model = await openModel(join(root, "models", type));
  const tensors = [...blocksOf(model).keys()];
  for (const loadCase of cases) {
    if (concerns(loadCase, tensors)) await writeCase(model, loadCase, join(root, "folders", type, loadCase.name));
  }
  await model.close();
  console.log(type);
}
