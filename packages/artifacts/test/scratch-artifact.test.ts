import { ScratchArtifact, contentAddress } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, samples } from "./samples.ts";

test("an artifact in a scratch file can be read again and again, and is the same", async () => {
  const { address } = await contentAddress(samples.layers.encode());
  const scratch = await ScratchArtifact.from(samples.layers.encode());
  for (let time = 0; time < 2; time += 1) {
    const { schema, batches } = await scratch.open();
    assert.is((await contentAddress({ schema, batches })).address, address);
  }
  scratch.close();
});

test("a stream that breaks is no artifact", async () => {
  const { schema, batches } = samples.states.encode();
  const broken = async function* () {
    for await (const batch of batches) {
      yield batch;
      throw new BadDataError("broken");
    }
  };
  assert.instance(await errorOf(() => ScratchArtifact.from({ schema, batches: broken() })), BadDataError);
});

test.run();
