import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import type { Matrix, StageContext } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel, writeSafetensors } from "@mbs/models";
import { rotate } from "../src/index.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** Models of every family: the controlled ones, and tiny random ones of the tests of `models`. */
export const controlled = (name: string): string => join(repository, "datasets", name);
export const fixture = (name: string): string => join(repository, "packages/models/test/fixtures/forward", name);

export interface Rotated {
  readonly folder: string;
  /** What the stage said. */
  readonly lines: readonly string[];
}

export const context = (lines: string[] = []): StageContext => testContext({ warn: (line) => lines.push(line) });

/** A folder of a test file, which is removed at its end. */
export async function temporaryFolder(): Promise<{ root: string; remove: () => Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), "rotation-test-"));
  return { root, remove: () => rm(root, { recursive: true }) };
}

let made = 0;

/** Rotates a model into a new folder. */
export async function rotateInto(root: string, model: string, options: Record<string, unknown> = {}): Promise<Rotated> {
  const lines: string[] = [];
  const folder = join(root, `rotated-${made++}`);
  const { files } = await rotate.run({}, { model, ...options }, context(lines));
  if (files === undefined) throw new Error("rotate made no files");
  await unpackFiles(files, folder, {});
  return { folder, lines };
}

/** Logits of every position of a text of tokens 4, 5, … that wrap around, [length, vocabulary]. */
export async function logitsOf(folder: string, length = 24): Promise<Matrix> {
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 1 });
  try {
    const tokens = Int32Array.from({ length }, (_, index) => (4 + 7 * index) % model.vocabularySize);
    let states = await forward.embed(tokens);
    for (const index of model.blocks.keys()) states = await forward.block(index, states);
    return await forward.logits(states);
  } finally {
    await forward.close();
    await model.close();
  }
}

/** A copy of a fixture in which some values of a tensor are others. */
export async function withValues(
  root: string,
  name: string,
  tensor: string,
  change: (values: Float32Array) => void,
): Promise<string> {
  const folder = join(root, `${name}-changed-${made++}`);
  await cp(fixture(name), folder, { recursive: true });
  const model = await openModel(fixture(name));
  const infos = model.checkpoint.list();
  const contents = new Map<string, Uint8Array>();
  for (const { name: own } of infos) {
    const values = await model.checkpoint.readF32(own);
    if (own === tensor) change(values);
    contents.set(own, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  await writeFile(
    join(folder, "model.safetensors"),
    writeSafetensors(infos, {}, (info) => [contents.get(info.name) ?? new Uint8Array(0)]),
  );
  await model.close();
  return folder;
}
