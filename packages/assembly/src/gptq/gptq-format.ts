import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { configOf, jsonFile } from "@mbs/models";
import type { Model } from "@mbs/models";
import type { Format } from "../format.ts";
import { isSymmetric, refuseLayer, refuseWithoutCodes } from "../layers/layer-grid.ts";
import { gridClasses, quantisedParts, readQuantisedLayer } from "../layers/quantised-layer.ts";
import { packedHead, packEmbeddings, untiedKeys, withEmbeddings } from "../layers/left-embeddings.ts";
import { safetensorsBytes } from "../planned-size.ts";
import { firstWeight } from "../layers/site-weights.ts";
import { untyingOptions } from "../layers/untied-head.ts";
import {
  carriedPatterns,
  denseLinears,
  moduleOf,
  prefixedName,
  requireSeparateExperts,
  unchangedWeights,
} from "../safetensors/module-names.ts";
import { replacedWeights } from "../safetensors/replaced-weights.ts";
import { chosenDtype, dtypeOptions } from "../safetensors/written-dtype.ts";
import { version } from "../version.ts";
import { gptqConfig } from "./gptq-config.ts";
import { bitsHeld, checkGptqGrid, checkGptqLayer, gptqTensors } from "./gptq-tensors.ts";
import type { GptqVersion } from "./gptq-tensors.ts";

/** Who wrote a file, as fields for it expect: name:version. */
const producer = `multilingual-brain-surgeon:${version}`;

/** What experts that programs do not find are called in names of tensors, and in messages, by model type. */
const unfoundExperts: ReadonlyMap<string, { readonly part: string; readonly of: string }> = new Map([
  ["mixtral", { part: ".block_sparse_moe.experts.", of: "Mixtral" }],
  ["qwen3_5_moe_text", { part: ".mlp.experts.", of: "Qwen 3.5" }],
]);

/**
 * Programs of GPTQ look for experts of some types under the names that transformers 5 gives them, which are not the
 * checkpoint's; transformers then takes what lies in memory.
 *
 * @throws {FailedPreconditionError} naming an expert's layer that they would not find, with the remedy
 */
function checkGptqExperts(model: Model, packed: Iterable<string>): void {
  const unfound = model.kind === "architecture" ? unfoundExperts.get(model.architecture) : undefined;
  if (unfound === undefined) return;
  for (const tensor of packed) {
    if (!tensor.includes(unfound.part)) continue;
    refuseLayer(
      { tensor },
      `gptqmodel and transformers do not find the experts of ${unfound.of} in GPTQ's files, or take random weights for them; assemble with --format compressed-tensors or dense`,
    );
  }
}

const options = { ...dtypeOptions, ...untyingOptions } as const satisfies OptionTable;

const createGptqFormat = (name: string, version: GptqVersion): Format => ({
  name,
  stacks: ["decoder"],
  holds: () => [{ kind: "groups", bits: bitsHeld, zeroPoints: version === 1 ? "from-one" : "any" }],
  options,
  parts: quantisedParts,
  checkPlan(model, { solver, grids, embeddings }, raw) {
    const { untieHead } = parseOptions(options, raw, `assemble --format ${name}`);
    requireSeparateExperts(model, name);
    if (grids.length === 0) refuseWithoutCodes(firstWeight(model), solver, "GPTQ");
    checkGptqExperts(
      model,
      grids.map(({ tensor }) => tensor),
    );
    for (const grid of [...grids, ...packedHead(model, embeddings, name, untieHead)]) {
      checkGptqGrid(grid, version);
      moduleOf(grid.tensor, "GPTQ");
    }
  },
  async plannedBytes(model, { grids, embeddings }, raw) {
    const { untieHead, ...others } = parseOptions(options, raw, `assemble --format ${name}`);
    const packed = [...grids, ...packedHead(model, embeddings, name, untieHead)];
    return safetensorsBytes(model, packed, chosenDtype(model, others, `assemble --format ${name}`));
  },
  async plan(source, given, raw, { warn }) {
    const { untieHead, ...others } = parseOptions(options, raw, `assemble --format ${name}`);
    const dtype = chosenDtype(source, others, `assemble --format ${name}`);
    requireSeparateExperts(source, name);
    // before the head: it cannot help layers that the format does not hold
    for (const [tensor, { solver }] of given.summaries)
      if (!given.has(tensor, "codes")) refuseWithoutCodes(tensor, solver, "GPTQ");
    const embeddings = packEmbeddings(source, given, { format: name, untieHead, warn });
    const { model, layers } = embeddings;
    checkGptqExperts(model, layers.summaries.keys());
    const quantised = [...layers.summaries.keys()].map((tensor) => readQuantisedLayer(layers, tensor, "GPTQ"));
    for (const layer of quantised) checkGptqLayer(layer, version);
    if (version === 1 && quantised.some(({ grid }) => !isSymmetric(grid))) {
      warn(
        "gptqmodel by itself loads asymmetric grids of other programs only in version 2 (--format gptq-v2); transformers and vLLM load these",
      );
    }
    const nameOf = (tensor: string): string => prefixedName(model, tensor);
    const replacements = new Map(
      quantised.map((layer) => [layer.tensor, gptqTensors(moduleOf(nameOf(layer.tensor), "GPTQ"), layer, version)]),
    );
    const packed = new Set(replacements.keys());
    const { head, embedding } = model.layout;
    const hasDense = denseLinears(model, packed).some((module) => `${module}.weight` !== head);
    const hasHead = head !== embedding && packed.has(head);
    if (hasHead)
      warn("the head is packed, as gptqmodel reads it with lm_head: true; other programs may not look for a packed head");
    const unchanged = unchangedWeights(model, packed);
    const config = gptqConfig(gridClasses(quantised), {
      unchanged,
      carried: carriedPatterns(model),
      hasDense,
      version,
      producer,
      ...(hasHead && { head }),
    });
    const weights = replacedWeights(model, layers, replacements, dtype, nameOf);
    const more = untiedKeys(embeddings);
    const configs = [await configOf(model, { dtype, quantisation: config, more }), jsonFile("quantize_config.json", config)];
    return withEmbeddings({ ...weights, files: [...weights.files, ...configs] }, embeddings, warn);
  },
});

/** GPTQ's safetensors with zeros less one, which every program that reads GPTQ reads. */
export const gptqFormat = createGptqFormat("gptq", 1);

/** GPTQ's safetensors with zeros as they are, which gptqmodel and vLLM read. */
export const gptqV2Format = createGptqFormat("gptq-v2", 2);
