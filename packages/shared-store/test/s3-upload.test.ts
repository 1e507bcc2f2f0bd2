import { test } from "uvu";
import * as assert from "uvu/assert";
import { partSizeOf } from "../src/s3/s3-upload.ts";

const mebibyte = 2 ** 20;

test("a file of any size has at most 10,000 parts, of whole mebibytes and at least 8", () => {
  const sizes = [1, 8 * mebibyte, 8 * mebibyte + 1, 80_000 * mebibyte, 80_000 * mebibyte + 1, 5 * 2 ** 40];
  assert.equal(
    sizes.map((bytes) => partSizeOf(bytes) / mebibyte),
    [8, 8, 8, 8, 9, 525],
  );
  for (const bytes of sizes) assert.ok(Math.ceil(bytes / partSizeOf(bytes)) <= 10_000);
});

test.run();
