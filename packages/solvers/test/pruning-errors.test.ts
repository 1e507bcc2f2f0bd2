import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { loadSolver, pruningErrors } from "../src/index.ts";

/** Numbers without order, the same in every run. */
const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin((index + 1) * (seed + 12.9898)) * ((index % 7) + 1));

test("errors of choices are those of the weights that the solver prunes, in each language", async () => {
  const [rows, columns] = [6, 40];
  const values = numbers(rows * columns, 1);
  const [diagonal, other] = [numbers(columns, 2).map(Math.abs), numbers(columns, 3).map(Math.abs)];
  const weight = { rows, columns, values, parts: [{ tensor: "w", firstRow: 2, rows: 4, grid: { kind: "none" } as const }] };
  const choices = [0, 0.13, 0.5, 0.9];
  const languages = new Map([
    ["en", diagonal],
    ["mr", other],
  ]);
  const found = pruningErrors(weight, at(weight.parts, 0), diagonal, languages, choices);
  const wanda = await loadSolver("wanda");
  const context = { blas: plainBlas, signal: new AbortController().signal, warn: () => {} };
  for (const [place, sparsity] of choices.entries()) {
    const given = { sparsity, useVariant: false } as Parameters<typeof wanda.solve>[2];
    const statistics = { diagonal } as Parameters<typeof wanda.solve>[1];
    const pruned = (await wanda.solve({ ...weight, values: values.slice() }, statistics, given, context)).values;
    for (const [language, squares] of languages) {
      let [lost, all] = [0, 0];
      for (let index = 2 * columns; index < values.length; index += 1) {
        const output = at(values, index) ** 2 * at(squares, index % columns);
        all += output;
        if (at(pruned, index) === 0) lost += output;
      }
      // sums of the same numbers in another order
      assert.ok(Math.abs(at(found.get(language) ?? [], place) - lost / all) < 1e-12, `${language} ${sparsity}`);
    }
  }
});

test.run();
