import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { seededGenerator } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { corruptSpans, spanCounts } from "../src/forward/span-corruption.ts";

const sentinels = Array.from({ length: 100 }, (_, at) => 5000 - at);
const textOf = (length: number): Int32Array => Int32Array.from({ length }, (_, at) => at);
const corrupt = (length: number, ...seed: (string | number)[]) =>
  corruptSpans(textOf(length), sentinels, seededGenerator(0, ...seed));

/** Pieces between sentinels; the piece before the first one comes first. */
function pieces(tokens: Int32Array): number[][] {
  const found: number[][] = [[]];
  for (const token of tokens) {
    if (sentinels.includes(token)) found.push([]);
    else found.at(-1)?.push(token);
  }
  return found;
}

const raised = (run: () => unknown): Error => {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a failure");
};

test("568 tokens become 512 and 114 with their ends, the lengths of T5's own pre-training", () => {
  const { source, target } = corrupt(568);
  assert.equal([source.length + 1, target.length + 1], [512, 114]);
});

test("counts are rounded half to even, as numpy does in the reference", () => {
  const counted = [2, 3, 10, 30, 50, 96, 568, 1024].map((length) => Object.values(spanCounts(length)));
  assert.equal(counted, [
    [1, 1],
    [1, 1],
    [2, 1],
    [4, 1],
    [8, 3],
    [14, 5],
    [85, 28],
    [154, 51],
  ]);
});

for (const length of [2, 3, 7, 40, 333, 1024]) {
  test(`source and target of ${length} tokens hold every token once, with one sentinel for each span`, () => {
    const { source, target } = corrupt(length, "en", 3);
    const { noise, spans } = spanCounts(length);
    const [kept, cut] = [pieces(source), pieces(target)];
    assert.equal([source.length, target.length], [length - noise + spans, noise + spans]);
    assert.equal(
      source.filter((token) => sentinels.includes(token)),
      Int32Array.from(sentinels.slice(0, spans)),
    );
    // The source ends with a sentinel and the target begins with one, so that there is an empty piece.
    assert.equal([kept.pop(), cut.shift()], [[], []]);
    for (const piece of [...kept, ...cut]) assert.ok(piece.length > 0);
    assert.equal(Int32Array.from(kept.flatMap((piece, index) => [...piece, ...at(cut, index)])), textOf(length));
  });
}

test("the same seed cuts the same spans, another one others", () => {
  assert.equal(corrupt(200, "en", 1), corrupt(200, "en", 1));
  assert.not.equal(corrupt(200, "en", 1).source, corrupt(200, "en", 2).source);
  assert.not.equal(corrupt(200, "en", 1).source, corrupt(200, "mr", 1).source);
});

test("all ways to cut are about equally frequent", () => {
  // 37 tokens have 6 to cut in 2 spans: the first has 1 to 5 of them.
  const { noise, spans } = spanCounts(37);
  assert.equal([noise, spans], [6, 2]);
  const found = new Map<number, number>();
  const rounds = 2000;
  for (let seed = 0; seed < rounds; seed++) {
    const first = at(pieces(corrupt(37, seed).target), 1);
    found.set(first.length, (found.get(first.length) ?? 0) + 1);
  }
  assert.equal([...found.keys()].sort(), [1, 2, 3, 4, 5]);
  // 400 expected, standard deviation 18
  for (const count of found.values()) assert.ok(Math.abs(count - rounds / 5) < 90, String(count));
});

test("what cannot be cut is refused with the remedy", () => {
  const long = raised(() => corrupt(2048));
  assert.instance(long, BadDataError);
  assert.match(long.message, /2048 tokens has 102 spans to cut out and the tokenizer 100 sentinel tokens; lower --length/);
  const short = raised(() => corrupt(1));
  assert.instance(short, BadDataError);
  assert.match(short.message, /use longer segments/);
  const none = raised(() => corruptSpans(textOf(20), [], seededGenerator(0)));
  assert.instance(none, FailedPreconditionError);
  assert.match(none.message, /no sentinel tokens \(<extra_id_0>.*--source-target/);
});

test.run();
