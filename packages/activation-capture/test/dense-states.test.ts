import { at, BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream, Matrix } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { walkBlock } from "@mbs/models/testing";
import { readMatrix } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  bothStates,
  changedLayer,
  collectStates,
  makeSegments,
  rounding,
  runCapture,
  runPropagate,
  segmentStream,
  withModel,
} from "./stage-run.ts";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";

const site = "mlp-up";

/** What a site of the second block reads, [tokens of the language, width] in order. */
async function siteInputs(model: Model, states: ArtifactStream, language: string): Promise<number[][]> {
  const forward = await model.forward({ threads: 1 });
  const rows: number[][] = [];
  for (const { rows: count, width, values, language: own } of await collectStates(states)) {
    if (own !== language) continue;
    const { sites } = await walkBlock(model, forward, 1, { rows: count, columns: width, values });
    const inputs = sites.get(site);
    assert.ok(inputs);
    const { columns, values: found } = inputs;
    for (let row = 0; row < count; row += 1) rows.push([...found.subarray(row * columns, (row + 1) * columns)]);
  }
  await forward.close();
  return rows;
}

test("cross-moments are E[(x̃ - x) xᵀ] of each language, beside the same Grams as without", async () => {
  await withModel(async (folder, model) => {
    const { compressed, dense } = await bothStates(folder, model);
    const alone = await runCapture(compressed, { model: folder, site: [site] });
    const found = await runCapture(compressed, { model: folder, site: [site] }, [], [dense]);
    assert.equal(
      found.filter(({ kind }) => kind === "gram"),
      alone,
    );
    const crosses = found.filter(({ kind }) => kind === "cross-moment");
    assert.equal(
      crosses.map(({ language }) => language),
      ["en", "mr", "te"],
    );
    for (const { language, values, tokens } of crosses) {
      const [x, other] = [await siteInputs(model, compressed, language), await siteInputs(model, dense, language)];
      const expected = at(x, 0).flatMap((_, i) =>
        at(x, 0).map(
          (__, j) => x.reduce((sum, own, token) => sum + (at(at(other, token), i) - at(own, i)) * at(own, j), 0) / tokens,
        ),
      );
      assert.ok(relativeDifference(values, expected) < rounding, language);
    }
  });
});

const rowsOf = ({ rows, columns, values }: Matrix): number[][] =>
  Array.from({ length: rows }, (_, row) => [...values.subarray(row * columns, (row + 1) * columns)]);

/** What the last site of the second block reads and adds to, of the tokens of a language in order. */
async function lastSite(
  model: Model,
  states: ArtifactStream,
  language: string,
): Promise<{ x: number[][]; residual: number[][] }> {
  const forward = await model.forward({ threads: 1 });
  const found = { x: [] as number[][], residual: [] as number[][] };
  for (const { rows, width, values, language: own } of await collectStates(states)) {
    if (own !== language) continue;
    let next = await forward.nextSites(await forward.beginBlock(1, { rows, columns: width, values }));
    while (!next.inputs.has("mlp-down")) next = await forward.nextSites(next.cut);
    const [input, residual] = [next.inputs.get("mlp-down"), next.residuals.get("mlp-down")];
    assert.ok(input && residual);
    found.x.push(...rowsOf(await readMatrix(input)));
    found.residual.push(...rowsOf(await readMatrix(residual)));
  }
  await forward.close();
  return found;
}

test("with normalised tokens a weight times the cross-moment also makes up for what the states that it adds to lack", async () => {
  await withModel(async (folder, model) => {
    const { compressed, dense } = await bothStates(folder, model);
    const found = await runCapture(compressed, { model: folder, site: ["mlp-down"], normaliseTokens: true }, [], [dense]);
    const { weights, width } = at(at(model.blocks, 1).sites, 3);
    const { tensor, rows } = at(weights, 0);
    const weight = await model.readWeight(tensor);
    const times = (matrix: ArrayLike<number>, row: number, column: (index: number) => number): number =>
      Array.from({ length: width }, (_, index) => at(matrix, row * width + index) * column(index)).reduce((a, b) => a + b);
    for (const { language, values, tokens } of found.filter(({ kind }) => kind === "cross-moment")) {
      const [own, other] = [await lastSite(model, compressed, language), await lastSite(model, dense, language)];
      const lacking = own.x.map((x, token) =>
        Array.from({ length: rows }, (_, row) => {
          const residual = at(at(other.residual, token), row) - at(at(own.residual, token), row);
          return times(weight, row, (index) => at(at(other.x, token), index) - at(x, index)) + residual;
        }),
      );
      const squares = own.residual.map((states) => states.reduce((sum, value) => sum + value * value, 0) / states.length);
      const made: number[] = [];
      const expected: number[] = [];
      for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < width; column += 1) {
          made.push(times(weight, row, (index) => at(values, index * width + column)));
          const sum = own.x.reduce(
            (sum, x, token) => sum + (at(at(lacking, token), row) * at(x, column)) / at(squares, token),
            0,
          );
          expected.push(sum / tokens);
        }
      }
      // the least squared singular value of such a matrix, four times as wide as high, is about a quarter of their mean: the
      // ridge of a thousandth takes at most 0.4% of what it is to make up for
      assert.ok(relativeDifference(made, expected) < 0.01, `${language} ${relativeDifference(made, expected)}`);
    }
  });
});

test("beyond the budget one cross-moment of the mix remains, the mean of the languages' by their weights", async () => {
  await withModel(async (folder, model) => {
    const { compressed, dense } = await bothStates(folder, model);
    const mix = "en=1,te=3,mr=0";
    const whole = await runCapture(compressed, { model: folder, site: [site], mix }, [], [dense]);
    const pooled = await runCapture(compressed, { model: folder, site: [site], mix, budget: "4KiB" }, [], [dense]);
    assert.equal(
      pooled.map(({ language, kind }) => `${language} ${kind}`),
      ["* gram", "* cross-moment", "en diagonal", "mr diagonal", "te diagonal"],
    );
    const of = (language: string) => {
      const found = whole.find((one) => one.language === language && one.kind === "cross-moment");
      assert.ok(found);
      return found.values;
    };
    const [en, te] = [of("en"), of("te")];
    const expected = en.map((value, index) => 0.25 * value + 0.75 * at(te, index));
    assert.ok(relativeDifference(at(pooled, 1).values, expected) < rounding);
  });
});

test("where nothing was compressed all cross-moments are zero; layers of the block itself count", async () => {
  await withModel(async (folder, model) => {
    const { start } = await bothStates(folder, model);
    const crosses = async (layers: ArtifactStream[]) =>
      (await runCapture(start, { model: folder, site: [site] }, layers, [start])).filter(({ kind }) => kind === "cross-moment");
    assert.ok((await crosses([])).every(({ values }) => values.every((value) => value === 0)));
    assert.ok((await crosses([await changedLayer(model)])).every(({ values }) => values.some((value) => value !== 0)));
  });
});

test("dense states that do not fit are refused with the remedy", async () => {
  await withModel(async (folder, model) => {
    const { start, compressed, dense } = await bothStates(folder, model);
    const segments = segmentStream(makeSegments(), model.tokenizerAddress);
    const fewer = await runPropagate(segmentStream(makeSegments().slice(1), model.tokenizerAddress), { model: folder });
    const cases: [ArtifactStream, object, ArtifactStream, typeof BadDataError | typeof UsageError, RegExp][] = [
      [segments, {}, dense, UsageError, /--dense-states go with states/],
      [compressed, { statistics: "diagonal" }, dense, UsageError, /--statistics gram/],
      [compressed, {}, start, BadDataError, /after 0 blocks, the states after 1/],
      [compressed, {}, compressed, BadDataError, /without --layers/],
      [start, {}, fewer, BadDataError, /where the states have segment 0 of te, 16 tokens; propagate both from the same segments/],
      [fewer, {}, start, BadDataError, /where the states have segment 1 of en/],
    ];
    for (const [source, options, other, kind, message] of cases) {
      const error = await runCapture(source, { model: folder, ...options }, [], [other]).catch((caught: unknown) => caught);
      assert.instance(error, kind, String(message));
      assert.match((error as Error).message, message);
    }
  });
});

test.run();
