import { test } from "uvu";
import * as assert from "uvu/assert";
import { classifyRows } from "../src/row-classes.ts";

const rows = (...costs: number[][]): Float32Array[] => costs.map((own) => Float32Array.from(own));

test("a row is in the class of the language that has more than half of what it costs, and in none where none has", () => {
  const { classOf, costs } = classifyRows(rows([3, 1, 2, 0], [1, 4, 2, 0]), [1, 1], 8);
  assert.equal([...classOf], [1, 2, 0, 0]);
  assert.equal(
    costs.map((own) => [...own]),
    [
      [3, 1],
      [1, 4],
    ],
  );
});

test("languages count alike in that, and by their weights in what a class costs", () => {
  // both predict the second row alike
  const { classOf, costs } = classifyRows(rows([8, 8, 2], [0, 2, 2]), [0.8, 0.2], 8);
  assert.equal([...classOf], [1, 0, 2]);
  assert.equal([...(costs[1] ?? [])], [2, 2]);
});

test("a language without rows of its own gets no class", () => {
  const { classOf, costs } = classifyRows(rows([4, 4], [1, 1], [0, 6]), [1, 1, 1], 8);
  assert.equal([...classOf], [1, 2]);
  assert.is(costs.length, 2);
});

test("the most similar languages share a class where there are too many, however small their shares", () => {
  // 0 and 2 predict each other's tokens; 1 and 3 are alone, and 3 has the smallest share
  const costs = rows([5, 0, 4, 0], [0, 5, 0, 0], [4, 0, 5, 0], [0, 0, 0, 0.01]);
  const { classOf, costs: classes } = classifyRows(costs, [1, 1, 1, 0.01], 3);
  assert.equal([...classOf], [1, 2, 1, 3]);
  assert.equal([...(classes[0] ?? [])], [9, 0, 9, 0]);
  assert.is(new Set(classifyRows(costs, [1, 1, 1, 0.01], 1).classOf).size, 1);
});

test.run();
