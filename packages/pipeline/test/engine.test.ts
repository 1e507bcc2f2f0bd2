import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { flipBit } from "./fixtures/flip-bit.ts";
import { failure, go } from "./fixtures/run-fakes.ts";
import { snapshot, workspaceSuite } from "./fixtures/workspace.ts";

const test = workspaceSuite("engine");

test("each damaged artifact that a run reads is refused; deleted as the message says, it is made again", async ({
  root,
  recipe,
}) => {
  const [out, artifacts] = [join(root, "out"), join(root, "out", "run", "artifacts")];
  await go(recipe());
  const whole = await snapshot(out);
  for (const stop of [
    "sample",
    "capture.h.0.input",
    "compress.h.0.mlp-up",
    "factor.h.1.attention-qkv",
    "compress.h.1.mlp-down",
    "assemble",
  ]) {
    let refused = 0;
    await rm(out, { recursive: true });
    const controller = new AbortController();
    const stopping = { signal: controller.signal, onNode: ({ id }: { id: string }) => id === stop && controller.abort() };
    await failure(go(recipe(), stopping));
    for (const name of await readdir(artifacts)) await flipBit(join(artifacts, name));
    // several may be damaged: each is named in turn
    for (;;) {
      const error = await failure(go(recipe()));
      if (error === undefined) break;
      assert.instance(error, BadDataError, `${stop}: ${(error as Error).message}`);
      const [, path = ""] = /^(\S+) is damaged at byte \d+; delete it and run again$/.exec((error as Error).message) ?? [];
      assert.is(join(path, ".."), artifacts, (error as Error).message);
      await rm(path);
      refused += 1;
    }
    const again = await snapshot(out);
    for (const name of ["scores.arrow", "similarity.arrow", "recipe.yaml", "model/model.bin"]) {
      assert.is(again[name], whole[name], `${stop}: ${name}`);
    }
    assert.ok(refused > 0, `${stop}: none was refused`);
  }
});

test("damaged scores of a finished run are refused; deleted as the message says, they are made again", async ({
  root,
  recipe,
}) => {
  const { nodes } = await go(recipe());
  const whole = await snapshot(join(root, "out"));
  for (const id of ["evaluate", "similarity"]) {
    const address = nodes.find((node) => node.id === id)?.address;
    const path = join(root, "out", "run", "artifacts", `${address}.arrow`);
    await flipBit(path);
    const error = await failure(go(recipe()));
    assert.instance(error, BadDataError);
    assert.ok((error as Error).message.startsWith(`${path} is damaged at byte `), String(error));
    assert.match((error as Error).message, /; delete it and run again$/);
    await rm(path);
    await go(recipe());
    assert.equal(await snapshot(join(root, "out")), whole);
  }
});

test.run();
