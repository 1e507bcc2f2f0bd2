import { BadDataError, at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clusterOrder } from "../../src/similarity/cluster-order.ts";
import { similarityMatrix } from "../../src/similarity/similarity-matrix.ts";
import { matrixTable, similarityTable } from "../../src/similarity/similarity-table.ts";
import { makeSimilarities } from "../made-records.ts";

test("alike languages stand beside each other", () => {
  const line = [0, 9, 1, 8, 2, 7];
  const order = clusterOrder(line.map((a) => line.map((b) => Math.abs(a - b))));
  const sorted = order.map((index) => line[index]);
  assert.ok(
    [JSON.stringify([0, 1, 2, 7, 8, 9]), JSON.stringify([9, 8, 7, 2, 1, 0])].includes(JSON.stringify(sorted)),
    String(sorted),
  );
  assert.equal(clusterOrder([]), []);
  assert.equal(clusterOrder([[0]]), [0]);
});

test("the matrix is symmetric and a missing pair is an error", () => {
  const { languages, values } = similarityMatrix(makeSimilarities(), "degrees");
  assert.equal(languages, ["en", "te", "fr"]);
  assert.equal(values, [
    [0, 60, 5],
    [60, 0, 58],
    [5, 58, 0],
  ]);
  assert.throws(
    () => similarityMatrix(makeSimilarities().slice(1), "degrees"),
    (error: unknown) => error instanceof BadDataError,
  );
});

test("one language with itself is no similarity", () => {
  const record = at(makeSimilarities(), 0);
  assert.throws(
    () => similarityMatrix([{ ...record, second: record.first }], "degrees"),
    (error: unknown) => error instanceof BadDataError && error.message.startsWith("similarity has degrees of en alone;"),
  );
});

test("picks the first block's input among many sites, or the place asked for", () => {
  const elsewhere = makeSimilarities().map((record) => ({ ...record, site: "mlp-up", value: 1 }));
  const later = makeSimilarities().map((record) => ({ ...record, block: "h.1", value: 2 }));
  const records = [...elsewhere, ...makeSimilarities(), ...later];
  assert.equal(similarityMatrix(records, "degrees"), similarityMatrix(makeSimilarities(), "degrees"));
  assert.is(at(similarityMatrix(records, "degrees", { block: "h.0", site: "mlp-up" }).values, 0)[1], 1);
});

test("few languages give a matrix, many give neighbours, both within 80 columns", () => {
  assert.is(matrixTable(similarityMatrix(makeSimilarities(), "degrees")).rows.length, 3);
  const many = Array.from({ length: 20 }, (_, index) => `l${String(index).padStart(2, "0")}`);
  const records = many.flatMap((first, i) =>
    many.slice(i + 1).map((second, j) => ({ block: "h.0", site: "input", measure: "degrees", first, second, value: j + 1 })),
  );
  const text = similarityTable(similarityMatrix(records, "degrees"));
  assert.match(text, /l00 +l01 1°, l02 2°, l03 3° +l19 19°/);
  for (const line of [...text.split("\n"), ...similarityTable(similarityMatrix(makeSimilarities(), "degrees")).split("\n")])
    assert.ok(line.length <= 80, line);
});

test.run();
