import { SpooledArtifact, contentAddress } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { errorOf, samples } from "./samples.ts";

test("a spooled artifact can be read again and again, and is the same", async () => {
  const { address } = await contentAddress(samples.layers.encode());
  const spooled = await SpooledArtifact.from(samples.layers.encode());
  for (let time = 0; time < 2; time += 1) {
    const { schema, batches } = await spooled.open();
    assert.is((await contentAddress({ schema, batches })).address, address);
  }
  spooled.close();
});

test("a stream that breaks is no artifact", async () => {
  const { schema, batches } = samples.states.encode();
  const broken = async function* () {
    for await (const batch of batches) {
      yield batch;
      throw new BadDataError("broken");
    }
  };
  assert.instance(await errorOf(() => SpooledArtifact.from({ schema, batches: broken() })), BadDataError);
});

test.run();
