import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** The Python that has torch, given as `--python PATH`. */
export const python = parseArgs({ options: { python: { type: "string", default: "python3" } } }).values.python;

/** Smallest time of several runs, in milliseconds: what else the machine does only ever adds. */
export async function fastest(runs: number, work: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let run = 0; run < runs; run += 1) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/**
 * Runs a script beside this file on the same float32 arrays, with one thread.
 *
 * @returns the milliseconds it printed, and the float32 array it wrote
 */
export function runPeer(
  script: string,
  size: number,
  inputs: readonly Float32Array[],
): { milliseconds: number; output: Float32Array } {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    for (const [index, input] of inputs.entries()) writeFileSync(join(folder, `input-${index}`), input);
    const path = fileURLToPath(new URL(script, import.meta.url));
    const printed = execFileSync(python, [path, folder, String(size)], {
      encoding: "utf8",
      env: { ...process.env, OMP_NUM_THREADS: "1" },
    });
    const bytes = readFileSync(join(folder, "output"));
    return { milliseconds: Number(printed), output: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
