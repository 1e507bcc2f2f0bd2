import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { receive, send } from "../src/protocol/messages-in-order.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { segmentMessages } from "./fixtures/fake-server.ts";
import { FlightClient, callOf } from "./fixtures/flight-client.ts";

const test = suite("leftovers");

const script = fileURLToPath(new URL("fixtures/serving.ts", import.meta.url));

interface Served {
  readonly process: ChildProcess;
  readonly client: FlightClient;
}

async function start(store: string, temporary: string): Promise<Served> {
  const child = spawn(process.execPath, ["--conditions=mbs-source", "--import", "tsx", script, store], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: temporary },
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { process: child, client: new FlightClient(Number(line.toString())) };
}

async function kill({ process: child, client }: Served): Promise<void> {
  client.close();
  if (child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** A call in the middle of an output that goes to a folder, and an artifact in the middle of its way into the store. */
async function leaveHalfDone({ client }: Served): Promise<void> {
  const call = client.exchange();
  call.on("error", () => undefined);
  await send(call, callOf({ stage: "split", options: { pause: { number: 600_000 } } }));
  const put = client.put();
  put.on("error", () => undefined).on("data", () => undefined);
  for await (const { header, body } of segmentMessages(3)) await send(put, { dataHeader: header, dataBody: body });
  // The schema: by now the folder is there.
  await receive<FlightData>(call).next();
}

const temporaries = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => /^\.(mbs|artifact)\./.test(name));

async function untilSome(folder: string): Promise<string[]> {
  for (;;) {
    const found = await temporaries(folder);
    if (found.length > 0) return found;
    await delay(50);
  }
}

test("the next server removes what a killed one left, and nothing of a running one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "leftovers-"));
  const [store, temporary] = [join(folder, "store"), join(folder, "tmp")];
  await mkdir(temporary);
  const started: Served[] = [];
  const startAnother = async (): Promise<Served> => {
    const served = await start(store, temporary);
    started.push(served);
    return served;
  };
  try {
    const killed = await startAnother();
    await leaveHalfDone(killed);
    const left = [...(await untilSome(store)), ...(await untilSome(temporary))];
    assert.is(left.length, 2);
    await kill(killed);

    const living = await startAnother();
    assert.equal([await temporaries(store), await temporaries(temporary)], [[], []]);
    await leaveHalfDone(living);
    const used = [await untilSome(store), await untilSome(temporary)];
    assert.not.equal(used.flat().toSorted(), left.toSorted());

    await startAnother();
    assert.equal([await temporaries(store), await temporaries(temporary)], used);
  } finally {
    for (const served of started) await kill(served);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
});

test.run();
