import { contentAddress } from "@mbs/artifacts";
import { BadDataError, InputOutputError } from "@mbs/contracts";
import type { ArtifactStream, Batch, MbsError, StageInputs } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { runRemote } from "@mbs/host-grpc";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { make, pass } from "../../host-cli/test/fixtures/stages.ts";
import { inTime, withServer } from "./fixtures/fake-server.ts";
import { errorOf } from "./fixtures/flight-client.ts";

const test = suite("local inputs");

async function sound(): Promise<ArtifactStream> {
  const { segments } = await make.run({}, {}, testContext());
  assert.ok(segments);
  return segments;
}

/** An artifact that cannot be read to its end. */
async function broken(fault: MbsError): Promise<ArtifactStream> {
  const { schema, batches } = await sound();
  async function* all(): AsyncGenerator<Batch> {
    yield* batches;
    throw fault;
  }
  return { schema, batches: all() };
}

test("what is wrong with an input on this side is said as it is, whichever input it is", () =>
  withServer({}, async ({ server }) => {
    for (const fault of [new BadDataError("a.arrow is cut short"), new InputOutputError("cannot read a.arrow: EIO")]) {
      const several: StageInputs = { segments: [await sound()], more: [await sound(), await broken(fault)] };
      for (const inputs of [{ segments: [await broken(fault)] }, several]) {
        const call = runRemote({
          via: `grpc://127.0.0.1:${server.port}`,
          stage: pass,
          inputs,
          options: {},
          context: testContext(),
          nameResource: async (_kind, path) => path,
        }).then(async ({ segments }) => {
          if (segments) await contentAddress(segments);
        });
        assert.is(await inTime(errorOf(call)), fault);
      }
    }
  }));

test.run();
