import { test } from "uvu";
import * as assert from "uvu/assert";
import { alibiSlopes } from "../src/architectures/model-types/bloom.ts";

test("eight heads have the powers of one half", () => {
  assert.equal([...alibiSlopes(8)], [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625]);
});

test("further heads take every other slope of twice as many", () => {
  // 6 heads: those of 4 (2^-2, 2^-4, 2^-6, 2^-8), then the 1st and 3rd of 8 (2^-1, 2^-3)
  assert.equal([...alibiSlopes(6)], [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125]);
});

test.run();
