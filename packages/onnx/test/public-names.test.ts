import * as onnx from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("the package exports these names", () => {
  assert.equal(Object.keys(onnx).toSorted(), [
    "GraphBuilder",
    "createBlas",
    "createDoubleBlas",
    "createGramKernel",
    "createSession",
    "floatTensor",
    "floatValues",
    "integerTensor",
  ]);
});

test.run();
