import { InternalError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { deviceReport } from "../src/engine/device-memory.ts";
import { addInHalves, SizeLimits } from "../src/engine/halves.ts";
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
    addInHalves(
      { ...range, shape: "a" },
      ["a"],
      async () => {
        throw error;
      },
      new SizeLimits(),
    ),
  );

const errorOf = (message: string): Error => engineError("run", "webgpu", new Error(message));

test("where a graphics processor is full in the middle of a sum, each part gets each token once", async () => {
  const [tokens, parts] = [11, ["a", "b", "c"]];
  const seen = new Map(parts.map((part) => [part, [] as number[]]));
  let products = 0;
  const { lacksOfSpace } = deviceReport();
  await addInHalves({ first: 0, last: tokens, shape: "in the middle" }, parts, async ({ first, last }, open) => {
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
  // 11 tokens, then 6; from then on no more than 3 are tried
  assert.is(deviceReport().lacksOfSpace - lacksOfSpace, 2);
});

test("one token for which there is no space is an error, and so is anything else that goes wrong", async () => {
  const none = full();
  assert.is(await always({ first: 3, last: 9 }, none), none);
  assert.is(await always({ first: 3, last: 4 }, none), none);
  const other = new Error("lost");
  assert.throws(
    () => new SizeLimits().halvesAfter(other, { first: 0, last: 8, shape: "a" }),
    (error: unknown) => error === other,
  );
});

test("a sum for whose tokens there was no space is not tried with as many again, one of another shape is", async () => {
  const limits = new SizeLimits();
  const tried: number[] = [];
  const add = (shape: string, last: number, most: number) =>
    addInHalves(
      { first: 0, last, shape },
      ["a"],
      async (tokens, open) => {
        tried.push(tokens.last - tokens.first);
        if (tokens.last - tokens.first > most) throw full();
        open.clear();
      },
      limits,
    );
  await add("wide", 20, 6);
  assert.equal(tried.splice(0), [20, 10, 5, 5, 5, 5]);
  await add("wide", 20, 6);
  assert.equal(tried.splice(0), [5, 5, 5, 5]);
  await add("wide", 4, 6);
  assert.equal(tried.splice(0), [4]);
  await add("narrow", 20, Infinity);
  assert.equal(tried, [20]);
});

test("what a piece makes comes back in the order of the items, and what weighs more is cut more often", async () => {
  const limits = new SizeLimits();
  const inPieces = (weight: number) =>
    limits.inPieces({ first: 0, last: 5, shape: "a", weight }, async ({ first, last }) => {
      if ((last - first) * weight > 6) throw full();
      return [first, last];
    });
  assert.equal(await inPieces(2), [
    [0, 3],
    [3, 5],
  ]);
  assert.equal(await inPieces(6), [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 5],
  ]);
  assert.equal(await inPieces(1), [[0, 5]]);
});

test("a lack of space is told apart from a device that has gone", () => {
  for (const message of [
    // as Dawn says it, alone and behind ONNX Runtime's "WebGPU validation failed."
    "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.",
    "[Invalid BindGroup (unlabeled)] is invalid due to a previous error.",
    "[Invalid CommandBuffer from CommandEncoder (unlabeled)] is invalid due to a previous error.",
    "WebGPU validation failed. Buffer size (2304000000) exceeds the max buffer size limit (1073741824).",
    "Buffer size (2304000000) exceeds the max buffer size limit (1073741824).",
    'Binding size (400000000) of [Buffer "x"] is larger than the maximum storage buffer binding size (134217728).',
    "The number of storage buffers (12) in the Compute stage exceeds the maximum per-stage limit (10).",
    "Dispatch workgroup count X (70000) exceeds max compute workgroups per dimension (65535).",
    "Buffer allocation is too large",
    "Buffer size is HUGE and could cause overflows",
    "WebGPU device error(3): Allocation size too large\n - While calling [Device].CreateBuffer([BufferDescriptor]).",
    "vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY",
    "vkAllocateMemory failed with VK_ERROR_OUT_OF_HOST_MEMORY",
    "vkAllocateDescriptorSets failed with VK_ERROR_OUT_OF_POOL_MEMORY",
    "vkAllocateMemory failed with VK_ERROR_TOO_MANY_OBJECTS",
    "vkMapMemory failed with VK_ERROR_MEMORY_MAP_FAILED",
    "D3D12 create committed resource failed with E_OUTOFMEMORY (0x8007000E)",
    "Out of memory.",
    "Unable to allocate buffer.",
    // ONNX Runtime's own
    "numbers_storage_buffers_ <= limits_.maxStorageBuffersPerShaderStage was false. Too many storage buffers in shader.",
    "entry_index <= device_limits_.maxBindingsPerBindGroup was false. Number of bind group entries (1001) exceeds device limit (1000)",
    'Failed to create bind group for program "MatMul"',
    "Failed to create GPU buffer: size=4800000000, usage=140.",
    "Failed to download data from buffer. wgpu::MapAsyncStatus value: 3",
    "The dispatch group size exceeds WebGPU maximum.",
    "dispatch_x exceeds uint32_t range: 4400000000",
    "Cannot pad odd-N B because the padded tensor has 5000000000 elements, exceeding uint32_t shader indexing range.",
    "Clip has 5000000000 elements, which exceeds the WebGPU supported maximum of 4294967295",
    "Tile output tensor would require more than 8 bytes, which exceeds the supported maximum of 4",
    "Trilu output size exceeds WebGPU supported maximum.",
    "narrowing_error",
  ]) {
    assert.instance(errorOf(message), DeviceFullError, message);
    assert.match(
      errorOf(message).message,
      /the graphics processor could not run: .*; leave out --device, or take a shorter --length/,
    );
  }
  for (const message of [
    "WebGPU device lost (2): Device was destroyed; out of memory",
    "[Device] is lost.",
    "vkQueueSubmit failed with VK_ERROR_DEVICE_LOST",
    "ID3D12Device::CreateCommittedResource failed with DXGI_ERROR_DEVICE_REMOVED (0x887A0005)",
  ]) {
    const gone = errorOf(message);
    assert.not.instance(gone, DeviceFullError, message);
    assert.match(gone.message, /the graphics processor could not run: .*; leave out --device/);
  }
  for (const message of [
    "[Invalid ShaderModule (unlabeled)] is invalid due to a previous error.",
    "MatMul dimension mismatch. Left vector K (3)",
    "Invalid rank for input: x Got: 1 Expected: 2",
  ]) {
    assert.instance(errorOf(message), InternalError, message);
  }
});

test.run();
