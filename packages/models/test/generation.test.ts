import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InterruptedError } from "@mbs/contracts";
import { fileURLToPath } from "node:url";
import { generate, openModel, rowsAt, runBlocks } from "@mbs/models";
import type { Model } from "@mbs/models";
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

/** The most probable tokens behind a text, which is read again for each of them. */
async function plainly(model: Model, text: string, tokens: number): Promise<string> {
  const tokenizer = await model.tokenizer();
  const forward = await model.forward({ threads: 1 });
  const ids = [...(tokenizer.bos === undefined ? [] : [tokenizer.bos]), ...tokenizer.encode(text)];
  const given = ids.length;
  while (ids.length < given + tokens) {
    const states = await runBlocks(model, forward, new Map([["hidden", Int32Array.from(ids)]]));
    const { values } = await forward.logits(rowsAt(states, [states.rows - 1]));
    ids.push(values.indexOf(values.reduce((most, value) => Math.max(most, value), -Infinity)));
  }
  await forward.close();
  return tokenizer.decode(ids.slice(given));
}

test("a continuation is that of the text read as a whole for each token", async () => {
  for (const [folder, text] of [
    ["../../../datasets/controlled-llama", "The window shows"],
    // without a cache: its blocks read tokens one after the other
    ["fixtures/forward/qwen3-5-f32", "ABCABC"],
  ] as const) {
    const model = await openModel(fileURLToPath(new URL(folder, import.meta.url)));
    try {
      const made = await generate(model, text, 24, { threads: 1 });
      assert.is(made, await plainly(model, text, 24));
    } finally {
      await model.close();
    }
  }
});

test.run();
