/** Renews the table in docs/model-formats.md: node --conditions=mbs-source --import tsx tools/format-loads/write-table.ts */
import { readFile, writeFile } from "node:fs/promises";
import { renewTable } from "./table.ts";
import type { LoadResults } from "./table.ts";

const results = JSON.parse(await readFile(new URL("results.json", import.meta.url), "utf8")) as LoadResults;
const page = new URL("../../docs/model-formats.md", import.meta.url);
await writeFile(page, renewTable(await readFile(page, "utf8"), results));
