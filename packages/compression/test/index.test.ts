import { test } from "uvu";
import * as assert from "uvu/assert";
import * as root from "../src/index.ts";

test("the public names", () => {
  assert.equal(Object.keys(root).sort(), ["compress", "solveSite"]);
});

test.run();
