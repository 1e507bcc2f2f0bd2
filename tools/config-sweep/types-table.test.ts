import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { SweepResults } from "../../packages/models/test/config-sweep/sweep.ts";
import { sweptTypes, withTypesTable } from "./types-table.ts";

const results = JSON.parse(await readFile(new URL("results.json", import.meta.url), "utf8")) as SweepResults;

test("README.md has the table of the sweep's results", async () => {
  const page = await readFile(new URL("README.md", import.meta.url), "utf8");
  assert.is(page, withTypesTable(page, results), "run tools/config-sweep/run.ts");
});

test("docs/architectures.md has a row for every type of the sweep", async () => {
  const page = await readFile(new URL("../../docs/architectures.md", import.meta.url), "utf8");
  const [, table = ""] = /\n## Supported\n(.*?)\n### /s.exec(page) ?? [];
  const rows = new Set(table.match(/(?<=^\| `)[\w-]+(?=` \|)/gm));
  assert.equal(
    sweptTypes(results).filter((type) => !rows.has(type)),
    [],
  );
});

test.run();
