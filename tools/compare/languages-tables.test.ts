import { test } from "uvu";
import * as assert from "uvu/assert";
import { weightOrAmountTable } from "./languages-tables.ts";

const cells = { proportional: 1, "equal-text": 0.5, "equal-weights": 0.8, equal: 0.4 };
const rowsOf = (mix: keyof typeof cells, draws: readonly number[]) =>
  draws.map((draw) => {
    const loss = cells[mix] + 0.01 * draw;
    return { method: "gptq-3", mix, draw, rises: { en: [loss, loss], km: [loss + 0.2, loss + 0.4] } };
  });

test("text and weights are told apart on the draws that all four mixes have", () => {
  const rows = [
    ...rowsOf("proportional", [0, 1, 2]),
    ...rowsOf("equal-text", [0, 1, 2, 3]),
    ...rowsOf("equal-weights", [2, 1, 0]),
    ...rowsOf("equal", [0, 1, 2, 4]),
  ];
  const lines = weightOrAmountTable({ "first pages": rows }).split("\n").slice(2);
  assert.is(lines.length, 5, "three averages and two languages");
  // text: the mean of -0.5 and -0.4, weights: of -0.2 and -0.1; weights take off 0.3 less
  const changes = /1\.010 \| 0\.510 \| 0\.810 \| 0\.410 \| −0\.45 \(.*\) \| −0\.15 \(.*\) \| \+0\.30 \(/;
  assert.match(lines[3] ?? "", new RegExp(`GPTQ 3 bits \\| first pages \\| 3 \\| en \\| ${changes.source}`));
  assert.match(lines[2] ?? "", /worst language \| 1\.310 .*−0\.45/);
  assert.is(weightOrAmountTable({ "first pages": rowsOf("equal", [0, 1]) }).split("\n").length, 2);
});

test.run();
