import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { generateDescriptors } from "../../../tools/protos/generate.ts";

test("the descriptors are those of protos/", async () => {
  const committed = await readFile(new URL("../src/protocol/descriptors.ts", import.meta.url), "utf8");
  assert.is(committed, await generateDescriptors(), "run node --import tsx tools/protos/generate.ts");
});

test.run();
