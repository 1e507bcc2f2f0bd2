import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeSegments, encodeStates, writeArtifact } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";

/** An artifact in a file. */
export interface ArtifactFile {
  readonly address: string;
  readonly path: string;
  readonly bytes: Buffer;
}

/** A small artifact; another one for each number. */
const smallArtifact = (number: number): ArtifactStream =>
  encodeSegments([{ segment: 0, language: "ta", documents: 1, tokens: Int32Array.of(number, 6, 7) }], {
    tokenizer: "",
    corpus: "",
    distribution: "",
    length: 3,
    seed: 0,
    mix: "equal",
    counts: {},
    shortfall: {},
  });

/** An artifact of about so many MiB. */
const largeArtifact = (mebibytes: number): ArtifactStream => {
  const values = Float32Array.from({ length: 512 * 512 }, (_, index) => (index % 251) - 7);
  const states = Array.from({ length: mebibytes }, (_, segment) => ({
    segment,
    language: "en",
    stream: "hidden",
    rows: 512,
    width: 512,
    values,
  }));
  return encodeStates(states, { model: "m", tokenizer: "", blocks: 0, layers: [] });
};

async function inFile(stream: ArtifactStream, path: string): Promise<ArtifactFile> {
  const { address } = await writeArtifact(stream, path, { force: true });
  return { address, path, bytes: await readFile(path) };
}

export const smallFile = (folder: string, number = 5): Promise<ArtifactFile> =>
  inFile(smallArtifact(number), join(folder, `small-${number}.arrow`));

export const largeFile = (folder: string, mebibytes: number): Promise<ArtifactFile> =>
  inFile(largeArtifact(mebibytes), join(folder, `large-${mebibytes}.arrow`));

/** The error that some work ends with. */
export async function errorOf(work: () => Promise<unknown>): Promise<Error> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("no error");
}

/** The same bytes with one bit changed. */
export function flipped(bytes: Uint8Array, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
