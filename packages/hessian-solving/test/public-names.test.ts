import * as solving from "@mbs/hessian-solving";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("the package exports these names", () => {
  assert.equal(Object.keys(solving).toSorted(), [
    "climbLadder",
    "damp",
    "findDead",
    "languageWeights",
    "mixSites",
    "parseMix",
    "parseOrder",
    "solve",
  ]);
});

test.run();
