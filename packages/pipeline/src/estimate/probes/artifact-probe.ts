import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { ArtifactStore, encodeStates, openArtifact, readStates, writeArtifact } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";
import { noise, secondsWithGarbage } from "./timing.ts";

/** Seconds for a byte of artifacts. */
export interface ArtifactRates {
  readonly write: number;
  readonly read: number;
  /** Of one that stays in memory for the next node. */
  readonly pass: number;
}

export const artifactNames = ["write", "read", "pass"] as const satisfies (keyof ArtifactRates)[];

const probeBytes = 16 * 1024 * 1024;

/** @param folder on the disk in question, where a small file is written for a moment */
export async function measureArtifacts(folder: string): Promise<ArtifactRates> {
  const temporary = await mkdtemp(join(folder, ".mbs-estimate-"));
  const path = join(temporary, "states.arrow");
  try {
    const width = 1024;
    const rows = probeBytes / 8 / 4 / width;
    const values = noise(rows * width);
    const record = (segment: number): StateRecord => ({ segment, language: "en", stream: "hidden", rows, width, values });
    const records = Array.from({ length: 8 }, (_, segment) => record(segment));
    const header = { model: "", tokenizer: "", blocks: 0, layers: [] };
    const writeOnce = (): Promise<unknown> => writeArtifact(encodeStates(records, header), path, { force: true });
    const readOnce = async (): Promise<void> => {
      for await (const state of readStates(await openArtifact(path))) void state;
    };
    await writeOnce();
    await readOnce();
    const store = new ArtifactStore(temporary, { memory: 2 * probeBytes });
    const passOnce = (): Promise<unknown> => store.put(encodeStates(records, header), { when: "late" });
    const [write, read, pass] = [
      await secondsWithGarbage(writeOnce),
      await secondsWithGarbage(readOnce),
      await secondsWithGarbage(passOnce),
    ];
    return { write: write / probeBytes, read: read / probeBytes, pass: pass / probeBytes };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** A byte of a disk that nothing can be written to now. */
export const assumedRates: ArtifactRates = { write: 1 / 5e8, read: 1 / 1e9, pass: 1 / 1e9 };

const isFull = (error: unknown): boolean => {
  const { code, facts } = error as NodeJS.ErrnoException & { readonly facts?: { readonly code?: unknown } };
  return [code, facts?.code].some((found) => found === "ENOSPC" || found === "EDQUOT");
};

/** The rates of the disk under a folder; assumed ones, with a warning, where it is full: what a run needs is to be said all the same. */
export async function artifactRates(
  folder: string,
  warn: (message: string) => void,
  measure: (folder: string) => Promise<ArtifactRates>,
): Promise<ArtifactRates> {
  try {
    return await measure(folder);
  } catch (error) {
    if (!isFull(error)) throw error;
    warn(`the disk of ${folder} is full: its speed is assumed, not measured; free some space before the run`);
    return assumedRates;
  }
}
