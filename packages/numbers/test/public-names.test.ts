import * as numbers from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("the package exports these names", () => {
  assert.equal(Object.keys(numbers).toSorted(), [
    "NotPositiveDefiniteError",
    "createReferenceKernel",
    "createSimdKernel",
    "decodeBrain",
    "decodeHalf",
    "encodeBrain",
    "encodeHalf",
    "inverseFactor",
    "inverseFactorReference",
    "invertOrder",
    "naturalOrder",
    "packUpper",
    "packedDiagonal",
    "packedLength",
    "packedRowStart",
    "permuteSymmetric",
    "restoreOrder",
    "roundHalfEven",
    "roundTo",
    "transposeInOrder",
    "unpackUpper",
    "walkColumns",
  ]);
});

test.run();
