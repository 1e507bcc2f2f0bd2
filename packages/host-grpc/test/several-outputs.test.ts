import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentAddress } from "@mbs/artifacts";
import type { StageOutputs } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { runRemote } from "@mbs/host-grpc";
import type { ServerPlace } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { split } from "../../host-cli/test/fixtures/stages.ts";
import { withServer } from "./fixtures/fake-server.ts";
import { errorOf } from "./fixtures/flight-client.ts";

const test = suite("several outputs");

const splitVia = (place: ServerPlace): Promise<StageOutputs> =>
  runRemote({
    ...place,
    stage: split,
    inputs: {},
    options: {},
    context: testContext(),
    nameResource: async (_kind, path) => path,
  });

async function addresses(outputs: StageOutputs): Promise<[string, string][]> {
  const list = Object.entries(outputs).map(async ([name, stream]): Promise<[string, string]> => [
    name,
    (await contentAddress(stream)).address,
  ]);
  return Promise.all(list);
}

test("all outputs of a call come back, the same artifacts as without a server", () =>
  withServer({}, async ({ server }) => {
    const here = await addresses(await split.run({}, {}, testContext()));
    assert.is(here.length, 2);
    assert.equal(await addresses(await splitVia({ via: `grpc://127.0.0.1:${server.port}` })), here);
  }));

test("outputs after the first take the scope read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "host-grpc-outputs-"));
  const tokens = join(folder, "tokens");
  const token = "t".repeat(32);
  await writeFile(tokens, `me run ${token}`, { mode: 0o600 });
  await writeFile(join(folder, "mine"), token, { mode: 0o600 });
  await withServer({ tokens }, async ({ server }) => {
    const place = { via: `grpc://127.0.0.1:${server.port}`, tokenFile: join(folder, "mine") };
    assert.match((await errorOf(splitVia(place))).message, /the token of me has no scope "read", which DoGet takes; /);
  });
  await rm(folder, { recursive: true });
});

test.run();
