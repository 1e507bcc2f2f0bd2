import { fileURLToPath } from "node:url";
import { encodeStates, parseMetadata } from "@mbs/artifacts";
import { at, BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { advance, embedStreams, openModel } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { collectStates, keep, rounding, runCapture, runPropagate, segmentStream, warnings } from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

const folder = fileURLToPath(new URL("../../models/test/fixtures/forward/mt5-f32", import.meta.url));
const model = await openModel(folder);
test.after(() => model.close());

/** Segments of two languages and of two lengths: 20 tokens have one span, 40 two. */
const segments = ["en", "mr", "en", "mr"].map((language, segment) => ({
  segment,
  language,
  documents: 1,
  tokens: Int32Array.from(
    { length: segment === 3 ? 40 : 20 },
    (_, position) => 4 + ((segment * 13 + position * position * 7) % 50),
  ),
}));
const source = (): ArtifactStream => segmentStream(segments, model.tokenizerAddress);
const passages = await model.passages();

/** Source and target as the stages cut them, by the seed of the segments' artifact. */
const inputsOf = ({ tokens, language, segment }: (typeof segments)[number]) =>
  passages.ofSegment(tokens, [0, language, segment]).inputs;

test("states hold both streams of every segment, and a block changes its own", async () => {
  const forward = await model.forward({ threads: 1 });
  let states = await runPropagate(source(), { model: folder });
  const expected = await Promise.all(segments.map((segment) => embedStreams(forward, inputsOf(segment))));
  for (let block = 0; block < model.blocks.length; block++) {
    const records = await collectStates(states);
    assert.equal(
      records.map(({ segment, language, stream, rows }) => [segment, language, stream, rows]),
      segments.flatMap(({ segment, language }) => [
        // 20 tokens - 3 cut out + 1 sentinel + the end; the start, the sentinel and 3 tokens
        [segment, language, "encoder", segment === 3 ? 37 : 19],
        [segment, language, "hidden", segment === 3 ? 9 : 5],
      ]),
    );
    for (const { segment, stream, values } of records) {
      assert.ok(
        relativeDifference(values, at(expected, segment).get(stream)?.values ?? []) < rounding,
        `${block} ${segment} ${stream}`,
      );
    }
    for (const [position, before] of expected.entries()) expected[position] = await advance(forward, model.blocks, block, before);
    if (block < model.blocks.length - 1) states = await runPropagate(states, { model: folder });
  }
  assert.is(parseMetadata("states", states.schema).blocks, 4);
  await forward.close();
});

test("statistics of states are those of the dense pass, each a mean over the tokens of its stream", async () => {
  const dense = await runCapture(source(), { model: folder });
  let states = await runPropagate(source(), { model: folder });
  for (const [position, { name }] of model.blocks.entries()) {
    const own = dense.filter(({ block }) => block === name);
    const found = await runCapture(states, { model: folder });
    assert.is(found.length, own.length);
    for (const [index, { site, language, tokens, values }] of found.entries()) {
      assert.equal([site, language, tokens], [at(own, index).site, at(own, index).language, at(own, index).tokens]);
      assert.ok(relativeDifference(values, at(own, index).values) < rounding, `${name} ${site}`);
      const isEncoder = name.startsWith("encoder") || site === "cross-attention-kv";
      const expected = language === "en" ? (isEncoder ? 38 : 10) : isEncoder ? 56 : 14;
      assert.is(tokens, expected, `${name} ${site} ${language}`);
    }
    if (position < model.blocks.length - 1) states = await runPropagate(states, { model: folder });
  }
});

test("the first block whose Grams are pooled is named, be it one of the decoder's", async () => {
  warnings.length = 0;
  const all = await runCapture(source(), { model: folder });
  assert.equal(warnings, []);
  const bytesOf = (block: string): number =>
    4 * all.filter((found) => found.block === block && found.kind === "gram").reduce((sum, { values }) => sum + values.length, 0);
  const [encoder, decoder] = [bytesOf("encoder.block.1"), bytesOf("decoder.block.0")];
  assert.ok(encoder < decoder, "a decoder's block has more sites");
  await runCapture(source(), { model: folder, budget: `${encoder / 1024}KiB` });
  assert.is(warnings.length, 1);
  assert.match(at(warnings, 0), /^decoder\.block\.0: the Grams of 2 languages need more than --budget/);
});

test("a block's diagonal is that of its states by hand", async () => {
  const forward = await model.forward({ threads: 1 });
  let states = await embedStreams(forward, inputsOf(at(segments, 3)));
  for (const index of [0, 1]) states = await advance(forward, model.blocks, index, states);
  await forward.close();
  const only = segmentStream([at(segments, 3)], model.tokenizerAddress);
  const found = await runCapture(only, { model: folder, statistics: "diagonal", site: ["cross-attention-kv"] }).catch(
    (error: unknown) => error,
  );
  // the first block has no such site
  assert.match(String(found), /--site cross-attention-kv: block encoder\.block\.0 has/);
  const all = await runCapture(segmentStream([at(segments, 3)], model.tokenizerAddress), {
    model: folder,
    statistics: "diagonal",
  });
  const kv = all.find(({ block, site }) => block === "decoder.block.0" && site === "cross-attention-kv");
  const { rows, columns, values } = states.get("encoder") ?? { rows: 0, columns: 0, values: [] };
  const means = Array.from({ length: columns }, (_, column) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += at(values, row * columns + column) ** 2;
    return sum / rows;
  });
  assert.ok(relativeDifference(kv?.values ?? [], means) < rounding);
});

test("beyond the budget one Gram of the mix is kept, over the tokens of the site's stream", async () => {
  const pooled = await runCapture(source(), { model: folder, budget: "1KiB", mix: "en=1,mr=3" });
  const each = await runCapture(source(), { model: folder });
  for (const [site, tokens] of [
    ["cross-attention-q", 24],
    ["cross-attention-kv", 94],
  ] as const) {
    const of = (statistics: typeof each, language: string) =>
      statistics.find(
        (statistic) => statistic.block === "decoder.block.1" && statistic.site === site && statistic.language === language,
      );
    const mixed = of(pooled, "*");
    const [en, mr] = ["en", "mr"].map((language) => of(each, language)?.values ?? new Float32Array(0));
    assert.ok(en && mr);
    assert.is(mixed?.tokens, tokens);
    assert.ok(
      relativeDifference(
        mixed?.values ?? [],
        en.map((value, position) => 0.25 * value + 0.75 * at(mr, position)),
      ) < rounding,
    );
  }
});

test("states without one of the streams are refused", async () => {
  const records = await collectStates(await runPropagate(source(), { model: folder }));
  const metadata = { model: model.address, tokenizer: model.tokenizerAddress, blocks: 0, layers: [] };
  for (const [kept, message] of [
    [[0, 2, 3], /segment 1 has states encoder \[19, 16\] where the model has hidden, 16 wide/],
    [[1, 2], /segment 0 has states hidden \[5, 16\] where the model has encoder/],
    [[0, 1, 2], /segment 1 has no states hidden; propagate again/],
  ] as const) {
    const states = await keep(
      encodeStates(
        kept.map((position) => at(records, position)),
        metadata,
      ),
    );
    const error: unknown = await runPropagate(states, { model: folder }).catch((raised: unknown) => raised);
    assert.instance(error, BadDataError);
    assert.match(String(error), message);
  }
});

test.run();
