import { test } from "uvu";
import * as assert from "uvu/assert";
import { shareErrors } from "../src/share-errors.ts";

const close = (found: number | undefined, wanted: number): void =>
  assert.ok(Math.abs((found ?? NaN) - wanted) < 1e-12, `${found}, not ${wanted}`);

test("errors by hand, over the common languages alone", () => {
  const errors = shareErrors(
    new Map([
      ["en", 0.6],
      ["fr", 0.2],
      ["xx", 0.2],
    ]),
    new Map([
      ["en", 0.4],
      ["fr", 0.1],
      ["de", 0.5],
    ]),
  );
  // 0.75 and 0.25 against 0.8 and 0.2
  assert.is(errors?.languages, 2);
  close(errors?.meanAbsolute, 0.05);
  close(errors?.log10MeanSquared, Math.log10(0.0025));
  close(errors && Math.abs(errors.largest.error), 0.05);
  close(errors?.meanFactor, Math.sqrt((0.8 / 0.75) * (0.25 / 0.2)));
});

test("nothing in common, and a share of zero", () => {
  assert.is(shareErrors(new Map([["en", 1]]), new Map([["fr", 1]])), undefined);
  const errors = shareErrors(
    new Map([
      ["en", 1],
      ["fr", 0],
    ]),
    new Map([
      ["en", 0.5],
      ["fr", 0.5],
    ]),
  );
  assert.is(errors?.meanFactor, Infinity);
  assert.equal(errors?.largest, { language: "en", error: 0.5 });
});

test.run();
