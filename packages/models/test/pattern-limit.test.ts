import { BadDataError, matchWithinTime } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findByteLevelWay, preTokenizerNames } from "../src/gguf/tokenizer/pre-tokenizers.ts";
import { unlimitedPatterns } from "../src/tokenizer/pattern-limit.ts";
import { tinyTokenizer } from "../src/tokenizer/tiny-tokenizer.ts";
import { makeHubTokenizer, makeTokenizer } from "../src/tokenizer/tokenizer.ts";

const json = tinyTokenizer() as Record<string, unknown>;
const file = "model/tokenizer.json";

const replace = (pattern: string) => ({ type: "Replace", pattern: { Regex: pattern }, content: "x" });
const split = (pattern: string, invert = false, behavior = "Isolated") => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior,
  invert,
});
const inOne = (kind: "normalizers" | "pretokenizers" | "decoders", ...parts: readonly object[]) => ({
  type: "Sequence",
  [kind]: parts,
});

/** Exponential for a run of "a". */
const endless = "(a|a)*b";
const run = "a".repeat(100);

const limited: readonly (readonly [place: string, parts: Record<string, unknown>])[] = [
  ["normalizer", { normalizer: replace(endless) }],
  ["normalizer.normalizers[1]", { normalizer: inOne("normalizers", { type: "NFC" }, replace(endless)) }],
  ["pre_tokenizer", { pre_tokenizer: split(endless) }],
  ["pre_tokenizer", { pre_tokenizer: split(endless, true) }],
  ["pre_tokenizer", { pre_tokenizer: split(endless, false, "Removed") }],
  ["pre_tokenizer.pretokenizers[1]", { pre_tokenizer: inOne("pretokenizers", split("b"), replace(endless)) }],
  ["decoder.decoders[1]", { decoder: inOne("decoders", { type: "Fuse" }, replace(endless)) }],
];

for (const [place, parts] of limited) {
  test(`a pattern that takes exponential time is ended: ${JSON.stringify(parts)}`, () => {
    const hub = makeHubTokenizer(file, { ...json, ...parts }, {});
    const use = (): unknown =>
      place.startsWith("decoder")
        ? hub.decode([...makeTokenizer(file, json, {}).encode(run)])
        : hub.encode(run, { add_special_tokens: false });
    try {
      use();
    } catch (error) {
      assert.instance(error, BadDataError, String(error));
      const text = `the text "${"a".repeat(79)}… (102 characters)`;
      assert.is(
        (error as Error).message,
        `${file}: ${place}.pattern, "${endless}", takes more than 2000 ms for ${text}; take the file from the model's source again, or simplify the pattern`,
      );
      return;
    }
    assert.unreachable("it ended");
  });
}

test("the message names where the text is from, and the tokenizer works on", () => {
  const tokenizer = makeTokenizer(file, { ...json, pre_tokenizer: split(endless) }, {});
  try {
    tokenizer.encode(run, "hi");
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match((error as BadDataError).message, /^hi: model\/tokenizer\.json: pre_tokenizer\.pattern, /);
    assert.is((error as BadDataError).facts["text"], "hi");
  }
  assert.equal([...tokenizer.encode("ab")], [...makeTokenizer(file, json, {}).encode("ab")]);
});

test("patterns without a limit take no longer for hostile texts than in proportion to them", () => {
  const parts = ["a", "A", "Aa", "あ", "ʰ", "A\u0301", " ", "\n", " \n", "1", "'s", "!", "…", "\ta"];
  for (const pattern of unlimitedPatterns) {
    const { pre_tokenizer: splitter } = makeHubTokenizer(file, { ...json, pre_tokenizer: split(pattern) }, {});
    for (const part of parts) {
      // 50,000 characters take less than 0.1 s, and 10⁹ blocks of quadratic time many seconds, on any processor
      const text = `${part.repeat(50_000 / part.length)}x`;
      const tooLong = (): Error => new Error(`${JSON.stringify(pattern)} for ${JSON.stringify(part)}`);
      matchWithinTime(text.length, () => splitter?.pre_tokenize(text), tooLong);
    }
  }
});

test("of the patterns of published models all but those of quadratic time have no limit", () => {
  const patterns = preTokenizerNames.flatMap((name) =>
    [...JSON.stringify(findByteLevelWay(name, file).preTokenizer).matchAll(/"Regex":("(?:[^"\\]|\\.)*")/g)].map(
      ([, text = ""]) => JSON.parse(text) as string,
    ),
  );
  const others = new Set(patterns.filter((pattern) => !unlimitedPatterns.has(pattern)));
  assert.equal([...others], [String.raw`\d{1,3}(?=(?:\d{3})*\b)`, String.raw`\s+$`]);
});

test.run();
