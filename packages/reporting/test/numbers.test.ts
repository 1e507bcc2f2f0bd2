import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatError } from "../src/numbers.ts";

test("errors have two digits, whole percents too", () => {
  assert.equal([0.00123, 0.02, 0.021, 0.2, 0.996, 1.5].map(formatError), ["0.12%", "2.0%", "2.1%", "20%", "100%", "150%"]);
});

test.run();
