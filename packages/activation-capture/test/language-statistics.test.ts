import { createGramKernel } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LanguageStatistics } from "../src/language-statistics.ts";

const plan = { site: "expert-0-up", width: 2, gram: true, diagonal: true };

test("tokens that an expert does not see count as zero, so that its statistics are means over all tokens", async () => {
  const kernel = createGramKernel({ threads: 1 });
  const statistics = new LanguageStatistics([plan], kernel);
  await statistics.add("expert-0-up", { rows: 2, columns: 2, values: Float32Array.of(1, 2, 3, 4) }, 3);
  await statistics.add("expert-0-up", { rows: 0, columns: 2, values: new Float32Array(0) }, 1);
  await statistics.add("expert-1-up", { rows: 1, columns: 2, values: Float32Array.of(9, 9) }, 1);
  const [means] = statistics.finish();
  assert.is(means.tokens, 4);
  assert.equal(means.gram, Float32Array.of(10 / 4, 14 / 4, 20 / 4));
  assert.equal(means.diagonal, Float32Array.of(10 / 4, 20 / 4));
  await kernel.release();
});

test("an expert that sees no token has a Gram of zeros", async () => {
  const kernel = createGramKernel({ threads: 1 });
  const statistics = new LanguageStatistics([plan], kernel);
  await statistics.add("expert-0-up", { rows: 0, columns: 2, values: new Float32Array(0) }, 5);
  assert.equal(statistics.finish()[0].gram, new Float32Array(3));
  await kernel.release();
});

test.run();
