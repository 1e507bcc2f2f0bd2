/**
 * Renews the tables in docs/model-formats.md and README.md:
 *
 *     node --conditions=mbs-source --import tsx tools/format-loads/write-table.ts
 */
import { readFile, writeFile } from "node:fs/promises";
import { loadTable, renewTable, typesTable } from "./table.ts";
import type { LoadResults } from "./table.ts";

const results = JSON.parse(await readFile(new URL("results.json", import.meta.url), "utf8")) as LoadResults;

async function renew(page: URL, table: string): Promise<void> {
  await writeFile(page, renewTable(await readFile(page, "utf8"), table));
}

await renew(new URL("../../docs/model-formats.md", import.meta.url), loadTable(results));
await renew(new URL("README.md", import.meta.url), typesTable(results));
