import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { contentAddress, decodeFlight, decodeStream, encodeFlight } from "@mbs/artifacts";
import type { ArtifactStream, Schema } from "@mbs/contracts";
import { serve } from "@mbs/host-grpc";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { programCommand, runProgram } from "../../host-cli/test/fixtures/run-program.ts";
import { stages } from "../../host-cli/test/fixtures/stages.ts";
import { send, withoutDescriptors } from "../src/protocol/messages-in-order.ts";
import { messages } from "../src/protocol/messages.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { childrenGone, childrenNow, untilChildren } from "./fixtures/child-processes.ts";
import { startServer } from "./fixtures/fake-server.ts";
import type { FakeServer } from "./fixtures/fake-server.ts";
import { FlightClient, all, callOf, errorOf } from "./fixtures/flight-client.ts";

interface Context extends FakeServer {
  segments: Buffer;
  address: string;
}

const served = suite<Context>("serve");

const stream = async (bytes: Buffer): Promise<ArtifactStream> =>
  decodeStream(
    (async function* chunks() {
      yield bytes;
    })(),
  );

served.before(async (context) => {
  const fake = await startServer((folder) => {
    mkdirSync(join(folder, "models", "tiny"), { recursive: true });
    writeFileSync(join(folder, "secret"), "");
    return {
      roots: { model: join(folder, "models") },
      addressOf: async (_kind, path) => (path.endsWith("tiny") ? "7".repeat(64) : undefined),
    };
  });
  Object.assign(context, fake);
  context.segments = (await runProgram(["make", "--segments", "200", "--length", "10000"])).stdout;
  context.address = (await contentAddress(await stream(context.segments))).address;
});
served.after(({ stop }) => stop());

/** Sends an artifact as the first input of a call. */
async function sendAll(
  call: ReturnType<FlightClient["exchange"]> | ReturnType<FlightClient["put"]>,
  bytes: Buffer,
): Promise<void> {
  for await (const { header, body } of encodeFlight(await stream(bytes)))
    await send(call, { dataHeader: header, dataBody: body });
  call.end();
}

async function put(client: FlightClient, bytes: Buffer): Promise<string> {
  const call = client.put();
  const answers = all<{ appMetadata: Uint8Array }>(call);
  await sendAll(call, bytes);
  return Buffer.from((await answers)[0]?.appMetadata ?? []).toString();
}

/** Calls pass with these options and the segments. */
async function callPass(client: FlightClient, bytes: Buffer, options: Record<string, object>): Promise<FlightData[]> {
  const call = client.exchange();
  const answers = all<FlightData>(call);
  await send(call, callOf({ stage: "pass", options }));
  await sendAll(call, bytes).catch(() => undefined);
  return answers;
}

served("an artifact goes in, is listed, and comes out the same", async ({ client, segments, address }) => {
  assert.is(await put(client, segments), address);
  const infos = await client.list();
  assert.equal(
    infos.map((info) => info.flightDescriptor.path),
    [[address]],
  );
  assert.is(infos[0]?.totalRecords, 200);
  assert.is(Buffer.from((await client.info(address)).endpoint[0]?.ticket.ticket ?? []).toString(), address);
  const received = async function* messagesOf() {
    yield* await all<FlightData>(client.get(address));
  };
  assert.is((await contentAddress(await decodeFlight(withoutDescriptors(received())))).address, address);
});

served(
  "an artifact is deleted by its address; one that is not there is INVALID_ARGUMENT",
  async ({ client, segments, address }) => {
    await put(client, segments);
    assert.equal(await client.act("delete-artifact", Buffer.from(address)), []);
    assert.equal(await client.list(), []);
    for (const [body, pattern] of [
      [address, /^no artifact \w+ in the server's store; it has been removed already, or the address is wrong$/],
      ["../../secret", /is no address/],
      ["", /is no address/],
    ] as const) {
      const error = await errorOf(client.act("delete-artifact", Buffer.from(body)));
      assert.is(error.code, status.INVALID_ARGUMENT, body);
      assert.match(error.details, pattern);
    }
    const unknown = await errorOf(client.act("no-such"));
    assert.is(unknown.details, 'no action "no-such"; this server has list-stages, delete-artifact');
  },
);

served("the stages are listed with their options", async ({ client }) => {
  const { stages: list } = await client.listStages();
  assert.equal(
    list.map(({ name }) => name),
    ["make", "pass", "split", "pack", "score"],
  );
  const style = list[0]?.options.find(({ name }) => name === "style");
  assert.equal(style?.choices, ["plain", "loud", "clashing"]);
  assert.is(list[1]?.inputs[1]?.optional, true);
});

served("a stage's input streams in and its output streams back, the same artifact", async ({ client, segments, address }) => {
  const answers = await callPass(client, segments, {});
  const last = answers.pop();
  assert.equal(messages.StageResult.decode(last?.appMetadata ?? new Uint8Array(0)), { outputs: {}, warnings: [], address });
  const received = async function* messagesOf() {
    yield* answers;
  };
  assert.is((await contentAddress(await decodeFlight(withoutDescriptors(received())))).address, address);
});

served("output begins before the input ends", async ({ client, segments }) => {
  const call = client.exchange();
  const begun = new Promise<void>((resolve) => call.once("data", () => resolve()));
  await send(call, callOf({ stage: "pass" }));
  for await (const { header, body } of encodeFlight(await stream(segments)))
    await send(call, { dataHeader: header, dataBody: body });
  // Not yet half-closed.
  await begun;
  call.on("data", () => undefined);
  call.end();
  await new Promise((resolve) => call.on("end", resolve));
});

served("warnings and false flags travel", async ({ client }) => {
  const call = client.exchange();
  const answers = all<FlightData>(call);
  await send(call, callOf({ stage: "make", options: { warn: { flag: true }, quietly: { flag: false } } }));
  call.end();
  const last = (await answers).pop();
  assert.equal(messages.StageResult.decode(last?.appMetadata ?? new Uint8Array(0)).warnings, ["something to know"]);
});

served("other inputs come from the store", async ({ client, segments }) => {
  const more = await put(client, segments);
  const call = client.exchange();
  const answers = all<FlightData>(call);
  await send(call, callOf({ stage: "pass", inputs: { more: { items: [more] } } }));
  await sendAll(call, segments);
  const received = (await answers).filter(({ dataBody }) => (dataBody?.length ?? 0) > 0);
  const size = received.reduce((sum, { dataBody }) => sum + (dataBody?.length ?? 0), 0);
  assert.ok(size > 2 * 200 * 10_000 * 4, `${size} bytes came back`);
});

served("what is wrong with a call is INVALID_ARGUMENT", async ({ client, segments }) => {
  const cases: [FlightData, RegExp][] = [
    [{ dataHeader: Buffer.from("x") }, /StageCall/],
    [callOf({ stage: "none" }), /no stage "none"; this server has make, pass/],
    [callOf({ stage: "make", options: { length: { text: "much" } } }), /--length takes a whole number/],
    [callOf({ stage: "make", options: { "x --y": { text: "" } } }), /no option/],
    [callOf({ stage: "make", options: { unknown: { text: "x" } } }), /stage make has no option "unknown"/],
    [callOf({ stage: "make", options: { length: {} } }), /option "length" has no value/],
    // flags of the child's command line that are no options of the stage
    ...["via", "output", "force", "debug", "help", "__proto__"].map((name): [FlightData, RegExp] => [
      callOf({ stage: "make", options: { [name]: { text: "grpc://127.0.0.1:1" } } }),
      /stage make has no option/,
    ]),
    [callOf({ stage: "make", output: "other" }), /make has no output "other"/],
    [callOf({ stage: "pass", inputs: { other: { items: [] } } }), /no input "other"/],
    [callOf({ stage: "pass", inputs: { more: { items: ["../../secret"] } } }), /is no address/],
    [callOf({ stage: "pass", inputs: { more: { items: ["0".repeat(64)] } } }), /no artifact 0+ in the server's store/],
    [callOf({ stage: "pass", options: { model: { text: "../secret" } } }), /never a path/],
    [callOf({ stage: "pass", options: { model: { text: "/etc" } } }), /never a path/],
    [callOf({ stage: "pass", options: { model: { text: "none" } } }), /no model named none/],
    [callOf({ stage: "pass", options: { model: { text: "1".repeat(64) } } }), /no model with address 1+/],
  ];
  for (const [first, pattern] of cases) {
    const call = client.exchange();
    const answers = all(call);
    call.write(first);
    call.end();
    const error = await errorOf(answers);
    assert.is(error.code, status.INVALID_ARGUMENT, error.details);
    assert.match(error.details, pattern);
  }
  const refused = await errorOf(callPass(client, segments, { refuse: { text: "mr" } }));
  assert.is(refused.code, status.INVALID_ARGUMENT);
  assert.is(refused.details, "segment 1 is in mr; take another");
});

served("a model is found by its address and by its name", async ({ client, segments }) => {
  for (const name of ["7".repeat(64), "tiny"])
    assert.ok((await callPass(client, segments, { model: { text: name } })).length > 1);
});

served("faults 45: tickets and ids that are paths are INVALID_ARGUMENT", async ({ client }) => {
  for (const id of ["../secret", `../${"a".repeat(61)}`, "A".repeat(64), "", `${"a".repeat(64)}/..`]) {
    assert.is((await errorOf(all(client.get(id)))).code, status.INVALID_ARGUMENT, id);
    assert.is((await errorOf(client.info(id))).code, status.INVALID_ARGUMENT, id);
  }
});

served("faults 18: an unknown version is FAILED_PRECONDITION", async ({ client, segments }) => {
  const made = await stream(segments);
  const schema: Schema = { ...made.schema, version: 9 };
  const call = client.exchange();
  const answers = all(call);
  await send(call, callOf({ stage: "pass" }));
  for await (const { header, body } of encodeFlight({ schema, batches: made.batches })) {
    await send(call, { dataHeader: header, dataBody: body }).catch(() => undefined);
  }
  call.end();
  const error = await errorOf(answers);
  assert.is(error.code, status.FAILED_PRECONDITION);
  assert.match(error.details, /version 9/);
});

served("faults 19: no artifact where one is needed is INVALID_ARGUMENT", async ({ client }) => {
  const call = client.exchange();
  const answers = all(call);
  await send(call, callOf({ stage: "pass" }));
  call.end();
  assert.is((await errorOf(answers)).code, status.INVALID_ARGUMENT);
});

served(
  "faults 39: an error that nobody foresaw is INTERNAL, nothing internal in the message, the server stays",
  async (context) => {
    const { client, segments, log } = context;
    const error = await errorOf(callPass(client, segments, { failAfter: { number: 2 } }));
    assert.is(error.code, status.INTERNAL);
    assert.not.match(error.details, /secret|TypeError|\.ts|\.js|\//);
    assert.match(log.join("\n"), /secret detail/);
    assert.ok((await callPass(client, segments, {})).length > 1);
  },
);

served("a child that crashes is INTERNAL for its own call only", async ({ client, segments }) => {
  const error = await errorOf(callPass(client, segments, { crashAfter: { number: 1 } }));
  assert.is(error.code, status.INTERNAL);
  assert.not.match(error.details, /SIGKILL/);
  assert.ok((await callPass(client, segments, {})).length > 1);
});

served("faults 38: an oversized message is RESOURCE_EXHAUSTED, the server stays", async ({ client, segments }) => {
  const call = client.exchange();
  const answers = all(call);
  call.write({ ...callOf({ stage: "pass" }), dataBody: Buffer.alloc(5 * 1024 * 1024) });
  assert.is((await errorOf(answers)).code, status.RESOURCE_EXHAUSTED);
  assert.ok((await callPass(client, segments, {})).length > 1);
});

served("faults 42: the client cancels: the child is gone within 2 s, its slot free", async ({ client, segments }) => {
  const call = client.exchange();
  call.on("error", () => undefined);
  await send(call, callOf({ stage: "make", options: { segments: { number: 1e6 }, pause: { number: 50 } } }));
  await untilChildren(1);
  call.cancel();
  await childrenGone();
  // There is one slot only.
  assert.ok((await callPass(client, segments, {})).length > 1);
});

served("faults 37: a deadline ends the call and its child", async ({ client }) => {
  const call = client.exchange(3000);
  const answers = all(call);
  await send(call, callOf({ stage: "make", options: { segments: { number: 1e6 }, pause: { number: 50 } } }));
  assert.is((await errorOf(answers)).code, status.DEADLINE_EXCEEDED);
  await childrenGone();
});

served("calls beyond the slots wait their turn", async ({ client, segments }) => {
  let most = 0;
  const calls = Promise.all([1, 2, 3].map(() => callPass(client, segments, {})));
  const done = calls.then(() => true);
  while ((await Promise.race([done, childrenNow()])) !== true) most = Math.max(most, (await childrenNow()).length);
  assert.ok((await calls).every((answers) => answers.length > 1));
  assert.is(most, 1);
});

served("addresses off loopback are refused", async ({ folder }) => {
  for (const listen of ["0.0.0.0:0", "192.168.1.1:80", "[::]:0", "example.org:80"]) {
    const refused = await errorOf(
      serve({ listen, stages, store: folder, addressOf: async () => undefined, command: programCommand }),
    );
    assert.match(refused.message, /will not listen at/, listen);
  }
});

served.run();
