import { encodeStatistics } from "@mbs/artifacts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inspections } from "../../src/results/inspection.ts";

test("statistics of a shard can be looked at", async () => {
  const stream = encodeStatistics(
    [{ block: "h.0", site: "mlp-up", language: "en", kind: "diagonal", tokens: 2, width: 1, values: Float32Array.of(1) }],
    {
      model: "",
      tokenizer: "",
      propagation: "dense",
      unit: "mean a token",
      mix: undefined,
      shards: { first: 0, count: 1, of: 2 },
    },
  );
  assert.equal(
    (await inspections.statistics(stream)).rows.map(({ block, tokens }) => [block, tokens]),
    [["h.0", 2]],
  );
});

test.run();
