import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { SweepResults } from "../../packages/models/test/config-sweep/sweep.ts";
import { withTypesTable } from "./types-table.ts";

test("the table of types in docs/architectures.md is that of the sweep's result", async () => {
  const page = await readFile(new URL("../../docs/architectures.md", import.meta.url), "utf8");
  const results = JSON.parse(await readFile(new URL("results.json", import.meta.url), "utf8")) as SweepResults;
  assert.is(page, withTypesTable(page, results), "run tools/config-sweep/run.ts");
});

test.run();
