import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { spentFile } from "./rows.ts";
import type { Spent } from "./tables.ts";

/** What each row took; of several lines of one row their sum, the largest peak, and the file of the last. */
export async function readSpent(folder: string): Promise<ReadonlyMap<string, Spent>> {
  const path = join(folder, spentFile);
  const all = new Map<string, Spent>();
  if (!existsSync(path)) return all;
  for (const line of (await readFile(path, "utf8")).split("\n").filter((text) => text !== "")) {
    const { name, spent } = JSON.parse(line) as { readonly name: string; readonly spent: Spent };
    const before = all.get(name) ?? { seconds: 0, processorSeconds: 0, peakBytes: 0 };
    const fileBytes = spent.fileBytes ?? before.fileBytes;
    all.set(name, {
      ...(fileBytes !== undefined && { fileBytes }),
      seconds: before.seconds + spent.seconds,
      processorSeconds: before.processorSeconds + spent.processorSeconds,
      peakBytes: Math.max(before.peakBytes, spent.peakBytes),
    });
  }
  return all;
}
