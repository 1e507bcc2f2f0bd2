import { test } from "uvu";
import * as assert from "uvu/assert";
import * as conformance from "../src/conformance/index.ts";
import * as root from "../src/index.ts";

test("the public names", () => {
  assert.equal(Object.keys(root).sort(), ["loadSolver", "outputByRow", "solvers"]);
  assert.equal(Object.keys(conformance).sort(), ["ConformanceError", "conformanceSuite", "plainBlas"]);
});

test.run();
