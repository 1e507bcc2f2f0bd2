import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { collect, expertsSite, parseMetadata } from "@mbs/artifacts";
import { at, BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream, Matrix } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { walkBlock } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { capture } from "../src/index.ts";
import {
  context,
  keep,
  makeSegments,
  rounding,
  runCapture,
  runPropagate,
  segmentStream,
  warnings,
  withModel,
} from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

/** E[x xᵀ] packed by rows and E[x²], in float64, over the inputs of one site, segment by segment. */
async function reference(
  model: Model,
  language: string,
  index: number,
  site: string,
): Promise<{ gram: number[]; diagonal: number[] }> {
  const forward = await model.forward({ threads: 1 });
  const inputs: Matrix[] = [];
  for (const { language: own, tokens } of makeSegments()) {
    if (own !== language) continue;
    let states = await forward.embed(tokens);
    for (let block = 0; block < index; block++) states = await forward.block(block, states);
    const { sites } = site === "input" ? { sites: new Map([["input", states]]) } : await walkBlock(model, forward, index, states);
    const found = sites.get(site);
    if (found !== undefined) inputs.push(found);
  }
  await forward.close();
  const width = at(inputs, 0).columns;
  const tokens = inputs.reduce((sum, { rows }) => sum + rows, 0);
  const moment = (first: number, second: number): number =>
    inputs.reduce((sum, { rows, values }) => {
      for (let row = 0; row < rows; row++) sum += at(values, row * width + first) * at(values, row * width + second);
      return sum;
    }, 0) / tokens;
  const columns = Array.from({ length: width }, (_, column) => column);
  return {
    gram: columns.flatMap((row) => columns.slice(row).map((column) => moment(row, column))),
    diagonal: columns.map((column) => moment(column, column)),
  };
}

test("dense capture gives every block, site and language in order, as plain sums do", async () => {
  await withModel(async (folder, model) => {
    const found = await runCapture(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const sites = ["input", "attention-qkv", "attention-output", "mlp-up", "mlp-down"];
    assert.equal(
      found.map(({ block, site, language, kind }) => [block, site, language, kind].join(" ")),
      ["h.0", "h.1", "h.2"].flatMap((block) =>
        sites.flatMap((site) =>
          ["en", "mr", "te"].map((language) => `${block} ${site} ${language} ${site === "input" ? "diagonal" : "gram"}`),
        ),
      ),
    );
    for (const { block, site, language, kind, tokens, values } of found) {
      assert.is(tokens, { en: 41, mr: 32, te: 32 }[language]);
      if (block === "h.1") continue;
      const expected = await reference(model, language, Number(block.slice(2)), site);
      const distance = relativeDifference(values, kind === "gram" ? expected.gram : expected.diagonal);
      assert.ok(distance < rounding, `${block} ${site} ${language} differs by ${distance}`);
    }
  });
});

test("capture from states is the dense capture's block", async () => {
  await withModel(async (folder, model) => {
    const dense = await runCapture(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const start = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const next = await runPropagate(start, { model: folder });
    const found = await runCapture(next, { model: folder });
    const expected = dense.filter(({ block }) => block === "h.1");
    assert.is(found.length, expected.length);
    for (const [position, statistic] of found.entries()) {
      const { values, ...head } = at(expected, position);
      const { values: own, ...ownHead } = statistic;
      assert.equal(ownHead, head);
      assert.ok(relativeDifference(own, values) < rounding);
    }
  });
});

test("the whole is the weighted sum of its parts", async () => {
  await withModel(async (folder, model) => {
    const segments = makeSegments().filter(({ language }) => language === "en");
    const statistics = async (part: typeof segments) =>
      runCapture(segmentStream(part, model.tokenizerAddress), { model: folder, site: ["mlp-down"] });
    const [whole, first, rest] = [
      await statistics(segments),
      await statistics(segments.slice(0, 1)),
      await statistics(segments.slice(1)),
    ];
    for (const [position, { values, tokens }] of whole.entries()) {
      const joined = values.map(
        (_, index) =>
          (at(first, position).tokens * at(at(first, position).values, index) +
            at(rest, position).tokens * at(at(rest, position).values, index)) /
          tokens,
      );
      assert.is(at(first, position).tokens + at(rest, position).tokens, tokens);
      assert.ok(relativeDifference(joined, values) < rounding);
    }
  });
});

// the same shapes in the same order, hence the same kernels
test("the same input gives the same bytes", async () => {
  await withModel(async (folder, model) => {
    const once = await runCapture(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const twice = await runCapture(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    assert.equal(once, twice);
  });
});

test("--statistics diagonal keeps the diagonal of the Gram", async () => {
  await withModel(async (folder, model) => {
    const states = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const gram = at(await runCapture(states, { model: folder, site: ["mlp-up"] }), 0);
    const diagonal = at(await runCapture(states, { model: folder, site: ["mlp-up"], statistics: "diagonal" }), 0);
    assert.is(diagonal.kind, "diagonal");
    const width = 32;
    const expected = Array.from({ length: width }, (_, row) => at(gram.values, row * width - (row * (row - 1)) / 2));
    assert.ok(relativeDifference(diagonal.values, expected) < rounding);
  });
});

test("beyond the budget one Gram of the mix and all diagonals remain", async () => {
  await withModel(async (folder, model) => {
    const states = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const all = await runCapture(states, { model: folder, site: ["mlp-up"] });
    warnings.length = 0;
    const pooled = await runCapture(states, { model: folder, site: ["mlp-up"], budget: "4KiB" });
    assert.is(warnings.length, 1);
    assert.equal(
      pooled.map(({ language, kind, tokens }) => [language, kind, tokens]),
      [
        ["*", "gram", 105],
        ["en", "diagonal", 41],
        ["mr", "diagonal", 32],
        ["te", "diagonal", 32],
      ],
    );
    const mixed = at(all, 0).values.map((_, index) =>
      all.reduce((sum, { tokens, values }) => sum + (tokens / 105) * at(values, index), 0),
    );
    assert.ok(relativeDifference(at(pooled, 0).values, mixed) < rounding);
    const asked = await runCapture(states, { model: folder, site: ["mlp-up"], grams: "pooled" });
    assert.equal(asked, pooled);
    assert.is(warnings.length, 1, "what was asked for is no surprise");
  });
});

test("beyond the budget --mix weighs the languages", async () => {
  await withModel(async (folder, model) => {
    const states = await runPropagate(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder });
    const all = await runCapture(states, { model: folder, site: ["mlp-up"] });
    const pooled = at(await runCapture(states, { model: folder, site: ["mlp-up"], budget: "4KiB", mix: "mr=3,te=1" }), 0);
    const weights = new Map([
      ["en", 0],
      ["mr", 0.75],
      ["te", 0.25],
    ]);
    const mixed = at(all, 0).values.map((_, index) =>
      all.reduce((sum, { language, values }) => sum + (weights.get(language) ?? NaN) * at(values, index), 0),
    );
    assert.ok(relativeDifference(pooled.values, mixed) < rounding);
  });
});

test("segments of another tokenizer are refused with both addresses", async () => {
  await withModel(async (folder, model) => {
    try {
      await runCapture(segmentStream(makeSegments(), "f".repeat(64)), { model: folder });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BadDataError);
      assert.match(String(error), "f".repeat(64));
      assert.match(String(error), model.tokenizerAddress);
    }
  });
});

const refusals: [string, object, string][] = [
  ["a site that no block has", { site: ["mlp"] }, "--site mlp: block h.0 has input, attention-qkv"],
  ["a budget that is no size", { budget: "much" }, "--budget takes a size"],
  ["an unknown option", { sites: "x" }, "unknown option --sites"],
];
for (const [name, options, message] of refusals) {
  test(`${name} is refused`, async () => {
    await withModel(async (folder, model) => {
      try {
        await runCapture(segmentStream(makeSegments(), model.tokenizerAddress), { model: folder, ...options });
        assert.unreachable();
      } catch (error) {
        assert.instance(error, UsageError);
        assert.match(String(error), message);
      }
    });
  });
}

test("an artifact without segments is refused", async () => {
  await withModel(async (folder, model) => {
    try {
      await runCapture(await keep(segmentStream([], model.tokenizerAddress)), { model: folder });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, BadDataError);
      assert.match(String(error), "no segments");
    }
  });
});

test("text that was added to cover experts does not change what its language weighs", async () => {
  await withModel(async (folder, model) => {
    const segments = makeSegments();
    const { schema, batches } = segmentStream(segments, model.tokenizerAddress);
    const stream = await keep({
      schema: { ...schema, metadata: { ...schema.metadata, ofMix: '{"en":1,"mr":2,"te":1}' } },
      batches,
    });
    const mixOf = async (source: ArtifactStream, options: object = {}) => {
      const { statistics } = await capture.run({ source: [source] }, { model: folder, site: ["input"], ...options }, context);
      assert.ok(statistics);
      const { mix } = parseMetadata("statistics", statistics.schema);
      await collect(statistics.batches);
      return mix;
    };
    assert.equal(await mixOf(stream), { en: 1, mr: 2, te: 1 });
    assert.equal(await mixOf(await runPropagate(stream, { model: folder })), { en: 1, mr: 2, te: 1 });
    assert.equal(await mixOf(stream, { mix: "en=1" }), { en: 1 });
    assert.is(await mixOf(segmentStream(segments, model.tokenizerAddress)), undefined);
  });
});

test("the share of each language's tokens that go through each expert is counted, where all experts are captured", async () => {
  const folder = fileURLToPath(new URL("../../models/test/fixtures/forward/mixtral-f32", import.meta.url));
  const model = await openModel(folder);
  const segments = makeSegments().map((segment) => ({ ...segment, tokens: segment.tokens.map((token) => token % 60) }));
  const stream = () => segmentStream(segments, model.tokenizerAddress);
  const all = await runCapture(stream(), { model: folder });
  const shares = all.filter(({ site }) => site === expertsSite);
  assert.equal(
    shares.map(({ block, language, kind, width }) => [block, language, kind, width]),
    ["layers.0", "layers.1"].flatMap((block) => ["en", "mr", "te"].map((language) => [block, language, "diagonal", 5])),
  );
  const forward = await model.forward({ threads: 1 });
  const counts = [0, 0, 0, 0, 0];
  for (const { language, tokens } of segments) {
    if (language !== "en") continue;
    const { sites } = await walkBlock(model, forward, 0, await forward.embed(tokens));
    for (const expert of counts.keys()) counts[expert] = at(counts, expert) + (sites.get(`expert-${expert}-up`)?.rows ?? NaN);
  }
  await forward.close();
  const { tokens, values } = at(shares, 0);
  assert.is(tokens, 41);
  assert.equal(
    Array.from(values, (share) => share * tokens).map((count) => Math.round(count)),
    counts,
  );
  assert.is(
    counts.reduce((sum, count) => sum + count),
    2 * tokens,
  );
  const pooled = await runCapture(stream(), { model: folder, grams: "pooled" });
  assert.equal(
    pooled.filter(({ site }) => site === expertsSite),
    shares,
  );
  const some = await runCapture(stream(), { model: folder, site: ["expert-0-up", "expert-1-up"] });
  assert.equal(
    some.filter(({ site }) => site === expertsSite),
    [],
  );
  await model.close();
});

for (const [name, sites] of [
  ["gpt-oss-windows-f32", ["attention-qkv", "attention-output", "expert-3-up", "expert-3-down"]],
  ["gemma4-experts-f32", ["attention-qkv", "attention-output", "mlp-up", "mlp-down", "expert-3-up", "expert-3-down"]],
] as const) {
  test(`what layers of ${name} and of one of its experts read is what torch's hooks see`, async () => {
    const folder = fileURLToPath(new URL(`../../models/test/fixtures/forward/${name}`, import.meta.url));
    const { tokens, capture: seen } = JSON.parse(await readFile(`${folder}/golden.json`, "utf8")) as {
      tokens: number[];
      capture: { block: number; sites: Record<string, { rows: number; gram: number[] }> };
    };
    const model = await openModel(folder);
    const segments = [{ segment: 0, language: "en", documents: 1, tokens: Int32Array.from(tokens) }];
    const found = await runCapture(segmentStream(segments, model.tokenizerAddress), { model: folder });
    const own = found.filter(({ block }) => block === `layers.${seen.block}`);
    assert.equal(Object.keys(seen.sites), sites);
    for (const [site, { gram }] of Object.entries(seen.sites)) {
      const distance = relativeDifference(own.find((statistic) => statistic.site === site)?.values ?? [], gram);
      assert.ok(distance < rounding, `${site} differs by ${distance}`);
    }
    const shares = own.find(({ site }) => site === expertsSite)?.values ?? [];
    const rows = seen.sites["expert-3-down"]?.rows ?? 0;
    assert.is(Math.round(at(shares, 3) * tokens.length), rows);
    assert.ok(rows > 0 && rows < tokens.length, "some tokens went through the expert");
    await model.close();
  });
}

for (const name of ["bert-f32", "xlm-roberta-f32", "xlm-roberta-types-bf16"]) {
  test(`what layers of ${name} read is what torch's hooks see`, async () => {
    const folder = fileURLToPath(new URL(`../../models/test/fixtures/encoders/${name}`, import.meta.url));
    const golden = JSON.parse(await readFile(`${folder}/golden.json`, "utf8")) as {
      tokens: number[];
      capture: { block: number; sites: Record<string, number[]> };
    };
    const { block, sites } = golden.capture;
    const model = await openModel(folder);
    // an encoder has its ends around each segment
    const segments = [{ segment: 0, language: "en", documents: 1, tokens: Int32Array.from(golden.tokens.slice(1, -1)) }];
    const found = await runCapture(segmentStream(segments, model.tokenizerAddress), { model: folder });
    const own = found.filter((statistic) => statistic.block === `encoder.layer.${block}`);
    assert.equal(Object.keys(sites), ["attention-qkv", "attention-output", "mlp-up", "mlp-down"]);
    for (const [site, gram] of Object.entries(sites)) {
      const statistic = own.find((one) => one.site === site);
      const distance = relativeDifference(statistic?.values ?? [], gram);
      assert.ok(distance < rounding, `${site} differs by ${distance}`);
      assert.is(statistic?.tokens, golden.tokens.length);
    }
    await model.close();
  });
}

test("experts that saw fewer tokens than they have channels are named, with the least of them", async () => {
  const folder = fileURLToPath(new URL("../../models/test/fixtures/forward/qwen2-moe-f32", import.meta.url));
  const model = await openModel(folder);
  const warned = async (count: number): Promise<readonly string[]> => {
    warnings.length = 0;
    const tokens = Int32Array.from({ length: count }, (_, position) => 4 + ((position * 17) % 60));
    await runCapture(segmentStream([{ segment: 0, language: "en", documents: 1, tokens }], model.tokenizerAddress), {
      model: folder,
    });
    return [...warnings];
  };
  const few = await warned(20);
  // two of five experts a token: 20 tokens make 40 rows, so some expert has at most 8 of the 16 that its channels ask for
  assert.is(few.length, 2);
  assert.match(
    at(few, 0),
    /^layers\.0: \d+ of 15 sites saw fewer tokens than they have channels, the least expert-\d-(up|down) with \d+ of 1[26]; damping/,
  );
  assert.equal(await warned(600), []);
  await model.close();
});

test.run();
