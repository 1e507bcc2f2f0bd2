import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { encodeStates, openArtifact, readStates, writeArtifact } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";
import { noise } from "./noise.ts";
import { secondsWithGarbage } from "./timing.ts";

/** Bytes of artifacts a second. */
export interface ArtifactRates {
  readonly write: number;
  readonly read: number;
}

const probeBytes = 16 * 1024 * 1024;

export async function measureArtifacts(folder: string): Promise<ArtifactRates> {
  const temporary = await mkdtemp(join(folder, ".mbs-estimate-"));
  const path = join(temporary, "states.arrow");
  try {
    const width = 1024;
    const rows = probeBytes / 8 / 4 / width;
    const values = noise(rows * width);
    const record = (segment: number): StateRecord => ({ segment, language: "en", stream: "hidden", rows, width, values });
    const records = Array.from({ length: 8 }, (_, segment) => record(segment));
    const writeOnce = (): Promise<unknown> =>
      writeArtifact(encodeStates(records, { model: "", tokenizer: "", blocks: 0, layers: [] }), path, { force: true });
    const readOnce = async (): Promise<void> => {
      for await (const state of readStates(await openArtifact(path))) void state;
    };
    await writeOnce();
    await readOnce();
    const [write, read] = [await secondsWithGarbage(writeOnce), await secondsWithGarbage(readOnce)];
    return { write: probeBytes / write, read: probeBytes / read };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
