import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InterruptedError } from "@mbs/contracts";
import { generate, openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("a signal ends a continuation between two tokens", async () => {
  const folder = await mkdtemp(join(tmpdir(), "generation-"));
  await writeTinyModel(folder);
  const model = await openModel(folder);
  const stopping = new AbortController();
  try {
    assert.ok((await generate(model, "abc", 3, { threads: 1, signal: stopping.signal })).length > 0);
    stopping.abort();
    const error = await generate(model, "abc", 3, { threads: 1, signal: stopping.signal }).catch((thrown: unknown) => thrown);
    assert.instance(error, InterruptedError);
  } finally {
    await model.close();
    await rm(folder, { recursive: true });
  }
});

test.run();
