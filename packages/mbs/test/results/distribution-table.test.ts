import { shareErrors } from "@mbs/language-distribution";
import type { DistributionEstimate } from "@mbs/language-distribution";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { distributionTable } from "../../src/results/distribution-table.ts";

const test = suite("the table of mbs distribution");

const estimate = (missing: number): DistributionEstimate => ({
  languages: [
    { language: "en", share: 0.75, documents: 1, bytes: 1000 },
    { language: "fr", share: 0.25, documents: 1, bytes: 1000 },
  ],
  merges: 3000,
  missing,
  words: 10,
  inequalities: 10,
  unexplained: 0.01,
  resamples: 0,
  seed: 0,
});

/** Shares of a model of which a part is in languages that the corpus lacks. */
function tableAgainst(shares: Readonly<Record<string, number>>): string {
  const errors = shareErrors(new Map(Object.entries({ en: 0.75, fr: 0.25 })), new Map(Object.entries(shares)));
  assert.ok(errors);
  return distributionTable({
    distribution: {},
    estimate: estimate(100),
    against: { name: "known", unit: "tokens", shares, errors },
  });
}

test("known shares are scaled to those of the estimate, as in the error", () => {
  const text = tableAgainst({ en: 0.4, fr: 0.4, de: 0.2 });
  assert.match(text, /^en +75% +50% +1 kB$/m);
  assert.match(text, /^fr +25% +50% +1 kB$/m);
  assert.match(text, "Shares of known are those among these languages, which are 80% of it.");
  assert.match(text, "Against known: off by 25 points on average, most in en (25 points), by a factor of");
});

test("nothing is said of the scale where it is the whole", () => {
  assert.not.match(tableAgainst({ en: 0.7, fr: 0.3 }), "among these languages");
});

test("the spread of the resamples is called that, not an interval that holds the share", () => {
  const once = estimate(100);
  const languages = once.languages.map((language) => ({ ...language, interval: [0.2, 0.8] as const }));
  const text = distributionTable({ distribution: {}, estimate: { ...once, languages, resamples: 20 } });
  assert.match(text, /^language +share of bytes +spread of 20 resamples +text used$/m);
  assert.match(text, /^en +75% +20% … 80% +1 kB$/m);
});

test("a corpus that lacks most merges is reported", () => {
  const few = distributionTable({ distribution: {}, estimate: estimate(2735) });
  assert.match(few, /^note: 91\.2% of the merges are not in the texts: they are too little.*--merges\)\.$/m);
  assert.not.match(distributionTable({ distribution: {}, estimate: estimate(100) }), "note:");
});

test.run();
