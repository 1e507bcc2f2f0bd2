import { test } from "uvu";
import * as assert from "uvu/assert";
import { deviceReport } from "../src/engine/device-memory.ts";
import { addInHalves, halvesAfter } from "../src/engine/halves.ts";
import type { Range } from "../src/engine/halves.ts";
import { DeviceFullError, engineError } from "../src/engine/runtime.ts";

const full = (): DeviceFullError => new DeviceFullError("there is no space");

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return assert.unreachable("it did not fail");
}

/** What becomes of work on some tokens that always fails. */
const always = (range: Range, error: Error) =>
  failure(
    addInHalves(range, ["a"], async () => {
      throw error;
    }),
  );

const errorOf = (message: string): Error => engineError("run", "webgpu", new Error(message));

test("where a graphics processor is full in the middle of a sum, each part gets each token once", async () => {
  const [tokens, parts] = [11, ["a", "b", "c"]];
  const seen = new Map(parts.map((part) => [part, [] as number[]]));
  let products = 0;
  const { lacksOfSpace } = deviceReport();
  await addInHalves({ first: 0, last: tokens }, parts, async ({ first, last }, open) => {
    for (const part of open) {
      products += 1;
      // the second product of 11 tokens fails, and then all of more than 3
      if (products === 2 || (products > 2 && last - first > 3)) throw full();
      for (let token = first; token < last; token += 1) seen.get(part)?.push(token);
      open.delete(part);
    }
  });
  for (const found of seen.values()) {
    assert.equal(
      found.sort((one, other) => one - other),
      Array.from({ length: tokens }, (_, token) => token),
    );
  }
  // 11 tokens, then 6 and 5
  assert.is(deviceReport().lacksOfSpace - lacksOfSpace, 3);
});

test("one token for which there is no space is an error, and so is anything else that goes wrong", async () => {
  const none = full();
  assert.is(await always({ first: 3, last: 9 }, none), none);
  assert.is(await always({ first: 3, last: 4 }, none), none);
  const other = new Error("lost");
  assert.throws(
    () => halvesAfter(other, { first: 0, last: 8 }),
    (error: unknown) => error === other,
  );
});

test("a lack of space is told apart from a device that has gone", () => {
  // as Dawn says it, of memory and of a limit
  for (const message of [
    "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.",
    "WebGPU validation failed. Buffer size (2304000000) exceeds the max buffer size limit (1073741824).",
    "numbers_storage_buffers_ <= limits_.maxStorageBuffersPerShaderStage was false. Too many storage buffers in shader.",
    "VK_ERROR_OUT_OF_DEVICE_MEMORY",
  ]) {
    assert.instance(errorOf(message), DeviceFullError, message);
    assert.match(
      errorOf(message).message,
      /the graphics processor could not run: .*; leave out --device, or take a shorter --length/,
    );
  }
  const gone = errorOf("WebGPU device lost (2): Device was destroyed; out of memory");
  assert.not.instance(gone, DeviceFullError);
  assert.match(gone.message, /the graphics processor could not run: .*lost.*; leave out --device/);
});

test.run();
