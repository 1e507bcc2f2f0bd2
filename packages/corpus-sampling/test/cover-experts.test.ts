import { test } from "uvu";
import * as assert from "uvu/assert";
import { nextSegments, reachedByAll } from "../src/cover-experts.ts";
import type { CoveredLanguage } from "../src/cover-experts.ts";

const language = (tokens: number, reached: number[], hasText = true): CoveredLanguage => ({
  tokens,
  segments: tokens / 100,
  reached: Float64Array.from(reached),
  hasText,
});

const asked = (languages: Record<string, CoveredLanguage>, wanted: number, most = 1000): Record<string, number> =>
  Object.fromEntries(nextSegments(new Map(Object.entries(languages)), { wanted, most, length: 100 }));

test("text is drawn of the language that reaches an expert most, as much as its share asks for, twice what there is at most", () => {
  const en = language(1000, [900, 100, 0]);
  const te = language(200, [10, 40, 150]);
  assert.equal(
    [
      ...reachedByAll(
        new Map([
          ["en", en],
          ["te", te],
        ]),
      ),
    ],
    [910, 140, 150],
  );
  // 10 tokens are missing, and a fifth of te's go there
  assert.equal(asked({ en, te }, 150), { te: 1 });
  // the second wants 60 tokens, 3 segments; te has but two
  assert.equal(asked({ en, te }, 200), { te: 2 });
  assert.equal(asked({ en, te }, 140), {});
  // without text of te, English sends a tenth to the second, and has sent none to the third
  assert.equal(asked({ en, te: { ...te, hasText: false } }, 150), { en: 1 });
  assert.equal(asked({ en, te: { ...te, hasText: false } }, 200), { en: 10 });
  assert.equal(asked({ en: { ...en, hasText: false }, te: { ...te, hasText: false } }, 200), {});
  assert.equal(asked({ en, te }, 1000, 3), { en: 2, te: 1 });
});

test("an expert that nothing has reached is looked for where least was seen", () => {
  assert.equal(asked({ en: language(1000, [0]), te: language(200, [0]) }, 5), { te: 2 });
});

test.run();
