import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FactorRecord } from "@mbs/artifacts";
import { at, BadDataError, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeInputs, type InputSpec } from "../../solvers/test/golden-inputs.ts";
import type { SiteFactor } from "../src/allocation/sparsity/sparsity-method.ts";
import { correlation } from "../src/allocation/sparsity/correlation.ts";
import { owl } from "../src/allocation/sparsity/owl.ts";
import { spreadSparsity } from "../src/allocation/sparsity/sparsity-methods.ts";
import { makeFactor } from "./tiny-site.ts";

interface OwlCase {
  readonly options: { readonly outlier: number; readonly spread: number; readonly sparsity: number };
  readonly blocks: readonly { readonly sites: readonly InputSpec[]; readonly outliers: number; readonly sparsity: number }[];
}

interface CorrelationCase {
  readonly sparsity: number;
  readonly spread: number;
  readonly blocks: readonly {
    readonly sites: readonly InputSpec[];
    readonly parameters: number;
    readonly importance: number;
    readonly sparsity: number;
  }[];
}

const fixture = (name: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, "fixtures", name), "utf8"));
const close = (found: number, expected: number, what: string): void =>
  assert.ok(Math.abs(found - expected) < 1e-6, `${what}: ${found}, expected ${expected}`);

/** A site as the golden programs saw it. */
async function siteOf(spec: InputSpec): Promise<SiteFactor> {
  const { weights, gram, languageDiagonals } = makeInputs(spec);
  const { rows, columns } = spec;
  const diagonal = Float32Array.from({ length: columns }, (_, column) => at(gram, column * (columns + 1)));
  const record: FactorRecord = { ...(await makeFactor("h.0", "mlp-up", columns)), diagonal, languageDiagonals };
  const parts = [{ tensor: "w", firstRow: 0, rows, grid: { kind: "none" } as const }];
  return { record, weight: async () => ({ rows, columns, values: weights.slice(), parts }) };
}

for (const { options, blocks } of (fixture("owl.json") as { cases: readonly OwlCase[] }).cases) {
  test(`outlier ratios and sparsities as OWL's program has them: ${JSON.stringify(options)}`, async () => {
    const measured = [];
    for (const { sites, outliers } of blocks) {
      const importance = await owl.importance(await Promise.all(sites.map(siteOf)), options);
      close(importance, outliers, "outliers");
      measured.push({ importance, parameters: sites.reduce((sum, { rows, columns }) => sum + rows * columns, 0) });
    }
    for (const [index, sparsity] of spreadSparsity(measured, options.sparsity, options.spread).entries()) {
      close(sparsity, at(blocks, index).sparsity, `block ${index}`);
    }
  });
}

test("correlations and sparsities as the independent reference has them, also for blocks of unequal size", async () => {
  const { blocks, sparsity, spread } = fixture("correlation.json") as CorrelationCase;
  const measured = [];
  for (const { sites, importance, parameters } of blocks) {
    const all = await Promise.all(sites.map(siteOf));
    const found = await correlation.importance(all, { spread, favour: "shared" });
    close(found, importance, "correlation");
    close(await correlation.importance(all, { spread, favour: "specific" }), -found, "specific");
    measured.push({ importance: found, parameters });
  }
  const found = spreadSparsity(measured, sparsity, spread);
  for (const [index, block] of blocks.entries()) close(at(found, index), block.sparsity, `block ${index}`);
  const total = blocks.reduce((sum, { parameters }) => sum + parameters, 0);
  close(blocks.reduce((sum, { parameters }, index) => sum + parameters * at(found, index), 0) / total, sparsity, "mean");
});

const languages = (...all: Float32Array[]) => all.map((values, index) => ({ language: `l${index}`, values }));
const weight = () => Promise.reject(new Error("not read"));

test("languages that are alike but for a factor correlate fully, and a language without contrast not at all", async () => {
  const record = await makeFactor("h.0", "mlp-up", 20);
  const importanceOf = (languageDiagonals: FactorRecord["languageDiagonals"]) =>
    correlation.importance([{ record: { ...record, languageDiagonals }, weight }], {
      spread: 0.08,
      favour: "shared",
    });
  const { diagonal } = record;
  close(
    await importanceOf(
      languages(
        diagonal,
        diagonal.map((value) => 9 * value),
        diagonal,
      ),
    ),
    1,
    "alike",
  );
  close(await importanceOf(languages(diagonal, new Float32Array(20).fill(3))), 0, "flat");
});

const refusal = async (work: () => unknown): Promise<Error> => {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
};

test("correlation without diagonals of languages, or of one language, is refused with the remedy", async () => {
  const record = await makeFactor("h.0", "mlp-up", 4);
  const options = { spread: 0.08, favour: "shared" } as const;
  const none = await refusal(() => correlation.importance([{ record, weight }], options));
  assert.instance(none, BadDataError);
  assert.match(none.message, /^h\.0 mlp-up: the factor has no diagonals of languages; factor with --language-diagonals$/);
  const english = { ...record, languageDiagonals: [{ language: "en", values: record.diagonal }] };
  const one = await refusal(() => correlation.importance([{ record: english, weight }], options));
  assert.match(one.message, /needs two languages, the mix has 1; sample more, or allocate with --method owl/);
});

test("blocks that matter alike, or no spread, give the target; a block that would lose all or less than nothing is refused", async () => {
  const blocks = [1, 2, 4].map((importance) => ({ importance, parameters: 10 * importance }));
  assert.equal(
    spreadSparsity(
      blocks.map((block) => ({ ...block, importance: 7 })),
      0.6,
      0.08,
    ),
    [0.6, 0.6, 0.6],
  );
  assert.equal(spreadSparsity(blocks, 0.6, 0), [0.6, 0.6, 0.6]);
  const rising = spreadSparsity(blocks, 0.6, 0.1);
  assert.ok(at(rising, 0) > at(rising, 1) && at(rising, 1) > at(rising, 2));
  close(at(rising, 0) - at(rising, 2), 0.2, "range");
  for (const target of [0.02, 0.97]) {
    const error = await refusal(() => spreadSparsity(blocks, target, 0.1));
    assert.instance(error, UsageError);
    assert.match(error.message, /a block would lose -?\d\.\d+ of its weights; take a smaller --spread/);
  }
});

test.run();
