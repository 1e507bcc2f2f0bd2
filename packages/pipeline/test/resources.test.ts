import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OptionTable } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Resources } from "../src/resources/resources.ts";

const table = { solver: { kind: "code", builtIn: ["gptq"], description: "a solver" } } as const satisfies OptionTable;

test("a solver's file counts by its content, a built-in solver by its name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-resources-"));
  try {
    const path = join(folder, "mine.js");
    const resolve = async () => (await new Resources().resolve(table, { solver: path }))["solver"];
    await writeFile(path, "export default 1;");
    const first = await resolve();
    assert.match(String(first), /^[0-9a-f]{64}$/);
    assert.is(await resolve(), first);
    await writeFile(path, "export default 2;");
    assert.is.not(await resolve(), first);
    assert.equal(await new Resources().resolve(table, { solver: "gptq" }), { solver: "gptq" });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
