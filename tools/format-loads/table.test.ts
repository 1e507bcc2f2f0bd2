import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { predictingTypes } from "../../packages/models/src/testing.ts";
import { loadCases, loadFormats } from "./cases.ts";
import { listLoads, loadTable, renewTable, tolerance, typesTable } from "./table.ts";
import type { LoadResults } from "./table.ts";

const results = JSON.parse(await readFile(new URL("results.json", import.meta.url), "utf8")) as LoadResults;
const loads = listLoads(results);

for (const [page, table] of [
  ["../../docs/model-formats.md", loadTable],
  ["README.md", typesTable],
] as const) {
  test(`${page} has the table of the results`, async () => {
    const text = await readFile(new URL(page, import.meta.url), "utf8");
    assert.is(text, renewTable(text, table(results)), "run tools/format-loads/write-table.ts");
  });
}

test("every type was written in every format, in every case that concerns it", () => {
  // a type that has models with experts and without is there twice
  const withExperts = Object.keys(results.types).filter((name) => name.endsWith("-experts"));
  assert.equal(withExperts, ["gemma4_text-experts"]);
  assert.equal(Object.keys(results.types).sort(), [...predictingTypes, ...withExperts].sort());
  for (const [type, cases] of Object.entries(results.types)) {
    const wanted = loadCases
      .filter(({ kind }) => !kind.endsWith("experts") || /mixtral|moe|gpt_oss|-experts$/.test(type))
      .map(({ name }) => name);
    assert.equal(Object.keys(cases).sort(), wanted.sort(), type);
    for (const { formats } of Object.values(cases)) assert.equal(Object.keys(formats).sort(), [...loadFormats].sort());
  }
});

test("no folder that we write is loaded wrong", () => {
  for (const { type, kind, format, reader, outcome } of loads) {
    const where = `${type}, ${kind}, ${format} by ${reader}`;
    if (typeof outcome === "number") assert.ok(outcome <= tolerance, `${where}: differs by ${outcome}`);
  }
});

/** What we write for vLLM alone, which is not tried here: limits of gptqmodel 7.7 and transformers 5.24. */
const isForOthers = (type: string, kind: string, format: string): boolean =>
  // gptqmodel alone reads version 2, and by itself no wrapped model
  (["gemma3", "mistral3", "qwen3_5", "qwen3_5_moe", "qwen3_vl"].includes(type) &&
    (format === "gptq-v2" || (format === "gptq" && kind.startsWith("mixed")))) ||
  (["gpt_neox", "phi3", "xglm"].includes(type) && format.startsWith("gptq") && kind.startsWith("mixed")) ||
  (format === "gptq" && (kind === "mixed bits, asymmetric" || (type === "gpt2" && kind === "asymmetric")));

test("every folder that we write and that was tried is loaded by one of its programs", () => {
  for (const [type, cases] of Object.entries(results.types)) {
    for (const [name, { kind, formats }] of Object.entries(cases)) {
      for (const [format, { mbs: _, ...readers }] of Object.entries(formats)) {
        if ("refused" in readers || Object.keys(readers).length === 0) continue;
        const loaded = Object.values(readers).some((outcome) => typeof outcome === "number");
        assert.is(loaded, !isForOthers(type, kind, format), `${type}, ${name}: ${format}`);
      }
    }
  }
});

test.run();
