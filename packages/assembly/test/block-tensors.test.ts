import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeLayers, unpackFiles } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at, FailedPreconditionError } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { encodeValues, quantisationTypeNamed } from "@mbs/gguf";
import { openModel } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";

const source = fileURLToPath(new URL("../../../datasets/controlled-llama", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "block-tensors-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

/** Weights of all blocks of the model in blocks of a type, by what `change` makes of their values. */
async function layersOf(
  typeOf: (tensor: string) => string | undefined,
  change: (values: Float32Array, tensor: string, columns: number) => void = () => {},
) {
  const model = await openModel(source);
  const layers: LayerRecord[] = [];
  const sites = model.blocks.flatMap(({ name: block, sites: own }) => own.map((site) => ({ block, ...site })));
  for (const { block, name: site, width: columns, weights } of sites) {
    for (const { tensor, rows } of weights) {
      const name = typeOf(tensor);
      if (name === undefined) continue;
      const type = quantisationTypeNamed(name);
      const values = await model.checkpoint.readF32(tensor);
      change(values, tensor, columns);
      const blocks = encodeValues(type, values);
      layers.push({
        block,
        site,
        tensor,
        summary: { solver: "rtn", error: 0, damage: 0, sparsity: 0, grid: name },
        blocks: { dtype: "u8", rows, columns: blocks.length / rows, data: blocks },
      });
    }
  }
  const metadata = { model: model.address, solver: "rtn", options: {}, order: "natural", weights: { en: 1 } };
  await model.close();
  return () => encodeLayers(layers, metadata);
}

type Encode = Awaited<ReturnType<typeof layersOf>>;

async function write(encode: Encode, format: string) {
  const warnings: string[] = [];
  const context = testContext({ warn: (line) => warnings.push(line), note: () => {} });
  const folder = join(root, String(count++));
  const { files } = await assemble.run({ layers: [encode()] }, { model: source, format, card: false }, context);
  assert.ok(files);
  await unpackFiles(files, folder);
  return { folder, warnings };
}

const refusal = async (encode: Encode, format: string): Promise<string> => {
  const error = await write(encode, format).catch((thrown: unknown) => thrown);
  assert.instance(error, FailedPreconditionError, String(error));
  return (error as Error).message;
};

/** A tensor as the header of a safetensors file has it. */
interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const nvfp4 = await layersOf(() => "NVFP4");

test("NVFP4: tensors as compressed-tensors names them, one global scale for weights of one input, values those of the dense folder", async () => {
  const { folder, warnings } = await write(nvfp4, "compressed-tensors");
  assert.equal(warnings.length, 1);
  assert.match(at(warnings, 0), /^transformers computes with NVFP4 in bf16 alone/);
  const file = await readFile(join(folder, "model.safetensors"));
  const header = Number(file.readBigUInt64LE(0));
  const stored = JSON.parse(file.toString("utf8", 8, 8 + header)) as Record<string, Stored>;
  const kinds = ["weight_packed", "weight_scale", "weight_global_scale"].map((name) => {
    const { dtype, shape } = stored[`model.layers.0.mlp.down_proj.${name}`] ?? {};
    return [dtype, shape];
  });
  assert.equal(kinds, [
    ["U8", [256, 384]],
    ["F8_E4M3", [256, 48]],
    ["F32", [1]],
  ]);
  const globalOf = (module: string): number => {
    const begin = stored[`model.layers.0.${module}.weight_global_scale`]?.data_offsets[0] ?? NaN;
    return file.readFloatLE(8 + header + begin);
  };
  const globals = ["q_proj", "k_proj", "v_proj"].map((name) => globalOf(`self_attn.${name}`));
  assert.equal(new Set(globals).size, 1);
  assert.is(globalOf("mlp.gate_proj"), globalOf("mlp.up_proj"));
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as { quantization_config: object };
  // as QuantizationConfig of compressed-tensors 0.20 writes its preset NVFP4A16, without what is null
  const { config_groups: groups, ...whole } = config.quantization_config as Record<string, unknown>;
  assert.equal(groups, {
    group_0: {
      targets: ["Linear"],
      format: "nvfp4-pack-quantized",
      weights: {
        num_bits: 4,
        type: "float",
        symmetric: true,
        group_size: 16,
        dynamic: false,
        strategy: "tensor_group",
        scale_dtype: "torch.float8_e4m3fn",
        zp_dtype: "torch.float8_e4m3fn",
      },
      input_activations: null,
      output_activations: null,
    },
  });
  assert.equal([whole["format"], whole["quantization_status"]], ["nvfp4-pack-quantized", "compressed"]);
  const dense = await write(nvfp4, "dense");
  const [packed, plain] = [await openModel(folder), await openModel(dense.folder)];
  for (const { name } of plain.checkpoint.list()) {
    assert.equal(await packed.checkpoint.readF32(name), await plain.checkpoint.readF32(name), name);
  }
  await packed.close();
  await plain.close();
});

test("NVFP4: scales below the whole range of E4M3 are said, and stay near; those of zeros alone are not", async () => {
  const tensor = "model.layers.0.mlp.down_proj.weight";
  const small = await layersOf(
    (name) => (name === tensor ? "NVFP4" : undefined),
    (values, _, columns) => {
      // the first row is tiny, the second one nothing
      for (let column = 0; column < columns; column += 1) {
        values[column] = at(values, column) * 2 ** -17;
        values[columns + column] = 0;
      }
    },
  );
  const { folder, warnings } = await write(small, "compressed-tensors");
  const said = warnings.map((line) => /^(\d+) of (\d+) scales are .* their weights are not those of --format dense$/.exec(line));
  const [, changed = 0, total = 0] = said.find((found) => found !== null) ?? [];
  assert.ok(Number(changed) > 0 && Number(changed) <= 48, `${changed} scales changed`);
  assert.is(Number(total), 255 * 48);
  const dense = await write(small, "dense");
  const [packed, plain] = [await openModel(folder), await openModel(dense.folder)];
  const [found, expected] = [await packed.checkpoint.readF32(tensor), await plain.checkpoint.readF32(tensor)];
  assert.equal(found.subarray(768), expected.subarray(768));
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let column = 0; column < 768; column += 1) {
    // half a step of E4M3's least number, 2^-10 of a scale at most 448, times the largest code
    assert.ok(Math.abs(at(found, column) - at(expected, column)) <= (largest / 6 / 224) * 2 ** -10 * 6, `column ${column}`);
  }
  await packed.close();
  await plain.close();
});

test("layers in several types, some dense, or of a type that only another format holds, are refused by name with a remedy", async () => {
  const mixed = await layersOf((tensor) => (tensor.includes("mlp") ? "MXFP4" : "NVFP4"));
  assert.match(
    await refusal(mixed, "compressed-tensors"),
    /mlp\.\S+: it is MXFP4 rounded to blocks, and compressed-tensors holds all layers as NVFP4 or none; compress with --grid NVFP4/,
  );
  for (const format of ["gguf", "gptq", "onnx"]) {
    assert.match(
      await refusal(nvfp4, format),
      `is rounded to NVFP4, which --format ${format} does not hold; assemble with --format compressed-tensors, or with dense`,
    );
    const planned = assemble.checkPlan?.({ model: source, format }, { solver: "gptq", codes: { kind: "blocks", type: "NVFP4" } });
    await planned?.then(
      () => assert.unreachable(format),
      (error: Error) => assert.match(error.message, `weights are rounded to NVFP4, which --format ${format} does not hold`),
    );
  }
});

test("a size is known before the run, scales of 8 bits counted", async () => {
  for (const type of ["NVFP4", "MXFP4"]) {
    const planned = { solver: "gptq", codes: { kind: "blocks", type } } as const;
    const size = await assemble.plannedSize?.({ model: source, format: "compressed-tensors" }, planned);
    const { folder } = await write(type === "NVFP4" ? nvfp4 : await layersOf(() => type), "compressed-tensors");
    const { size: written } = await stat(join(folder, "model.safetensors"));
    assert.ok(Math.abs((size?.bytes ?? NaN) / written - 1) < 0.02, `${type}: ${size?.bytes}, written ${written}`);
  }
});

test.run();
