/**
 * Counts what docs/reliability.md states of artifacts cut and flipped at every byte.
 *
 * usage: node --conditions=mbs-source --import tsx tools/reliability/run.ts
 *
 * Needs a build (`npm run build`). Exits with 1 where a cut or flip was read without an error.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { collect, decodeStream } from "@mbs/artifacts";
import { makeArtifacts } from "./make-artifacts.ts";

/** Whether the bytes of an artifact are refused as bad data. */
async function isRefused(bytes: Uint8Array): Promise<boolean> {
  try {
    const { batches, receipt } = await decodeStream(
      (async function* () {
        yield bytes;
      })(),
    );
    await collect(batches);
    await receipt;
    return false;
  } catch (error) {
    if (error instanceof BadDataError) return true;
    throw error;
  }
}

const folder = await mkdtemp(join(tmpdir(), "mbs-reliability-"));
let wrong = 0;
try {
  for (const [kind, path] of await makeArtifacts(folder)) {
    const whole = await readFile(path);
    const accepted = { cuts: 0, flips: 0 };
    if (await isRefused(whole)) throw new Error(`${path} is refused as it was written`);
    for (let at = 0; at < whole.length; at++) {
      if (!(await isRefused(whole.subarray(0, at)))) accepted.cuts++;
      for (const bit of [at % 8, (at + 4) % 8]) {
        const flipped = Buffer.from(whole);
        flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
        if (!(await isRefused(flipped))) accepted.flips++;
      }
    }
    console.log(`${kind}: ${whole.length} cuts, ${accepted.cuts} read; ${2 * whole.length} flips, ${accepted.flips} read`);
    wrong += accepted.cuts + accepted.flips;
  }
} finally {
  await rm(folder, { recursive: true });
}
process.exitCode = wrong > 0 ? 1 : 0;
