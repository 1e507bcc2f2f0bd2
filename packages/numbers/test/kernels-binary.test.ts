import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compileKernels } from "../assembly/compile.ts";

test("the binary in src is what assembly compiles to", async () => {
  const stored = await readFile(new URL("../src/wasm/kernels-binary.ts", import.meta.url), "utf8");
  assert.is(await compileKernels(), stored, "run `npm run kernels` in packages/numbers");
});

test.run();
