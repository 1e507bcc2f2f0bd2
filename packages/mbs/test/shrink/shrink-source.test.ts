import { FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { requireSourceBits } from "../../src/shrink/shrink-source.ts";

test("a source of fewer than 4 bits a weight is refused, and no other", () => {
  const source = { name: "tiny", bytes: 400, parameters: 1000, mixture: undefined, languages: [] };
  for (const quantisedBits of [undefined, 4, 8.5]) requireSourceBits({ ...source, quantisedBits });
  assert.throws(
    () => requireSourceBits({ ...source, quantisedBits: 3.2 }),
    (error: unknown) =>
      error instanceof FailedPreconditionError &&
      /tiny is quantised to 3\.2 bits a weight already; take its 16-bit original, or a file of 4 bits and more/.test(
        error.message,
      ),
  );
});

test.run();
