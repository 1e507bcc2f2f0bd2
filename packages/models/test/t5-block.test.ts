import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { distanceBucket } from "../src/architectures/families/t5-block.ts";
import type { DistanceBuckets } from "../src/architectures/families/t5-block.ts";

interface Golden {
  first: number;
  cases: (DistanceBuckets & { values: number[] })[];
}

const golden = JSON.parse(await readFile(new URL("fixtures/distance-buckets.json", import.meta.url), "utf8")) as Golden;

for (const { values, ...shape } of golden.cases) {
  const { buckets, farthest, bidirectional } = shape;
  test(`${buckets} buckets up to ${farthest}${bidirectional ? " on both sides" : ""} are those of transformers`, () => {
    assert.equal(
      values.map((_, at) => distanceBucket(golden.first + at, shape)),
      values,
    );
  });
}

test.run();
