import { parseOptions } from "@mbs/contracts";
import { checkGptqExperts } from "./expert-layers.ts";
import type { Format } from "./format.ts";
import { gptqConfig } from "./gptq-config.ts";
import { checkGptqGrid, checkGptqLayer, gptqTensors, refuseZero } from "./gptq-tensors.ts";
import type { GptqVersion } from "./gptq-tensors.ts";
import { gridClasses } from "./grid-classes.ts";
import { refuseWithoutCodes } from "./layer-grid.ts";
import { denseLinears, moduleOf, prefixedName, unchangedWeights } from "./module-names.ts";
import { producer } from "./producer.ts";
import { jsonFile, quantisedConfig } from "./quantised-config.ts";
import { quantisedParts, readQuantisedLayer } from "./quantised-layer.ts";
import { replacedWeights, tensorBytes } from "./replaced-weights.ts";
import { firstWeight } from "./site-weights.ts";

const createGptqFormat = (name: string, version: GptqVersion): Format => ({
  name,
  encoderDecoders: false,
  zeroPoints: version === 1 ? "from-one" : "any",
  options: {},
  parts: quantisedParts,
  checkPlan(model, { solver, grids, zeroPoints }) {
    if (grids.length === 0) refuseWithoutCodes(firstWeight(model), solver, "GPTQ");
    checkGptqExperts(grids.map(({ tensor }) => tensor));
    for (const grid of grids) {
      checkGptqGrid(grid);
      if (version === 1 && zeroPoints === "any") refuseZero(grid);
      moduleOf(grid.tensor, "GPTQ");
    }
  },
  async plan(model, layers, options, { warn }) {
    parseOptions({}, options, `assemble --format ${name}`);
    checkGptqExperts(layers.summaries.keys());
    const quantised = [...layers.summaries.keys()].map((tensor) => readQuantisedLayer(layers, tensor, "GPTQ"));
    for (const layer of quantised) checkGptqLayer(layer, version);
    if (version === 1 && quantised.some(({ symmetric }) => !symmetric)) {
      warn(
        "gptqmodel by itself loads asymmetric grids of other programs only in version 2 (--format gptq-v2); transformers and vLLM load these",
      );
    }
    const nameOf = (tensor: string): string => prefixedName(model, tensor);
    const replacements = new Map(
      quantised.map((layer) => [layer.tensor, gptqTensors(moduleOf(nameOf(layer.tensor), "GPTQ"), layer, version)]),
    );
    const packed = new Set(replacements.keys());
    const hasDense = denseLinears(model, packed).some((module) => `${module}.weight` !== model.layout.head);
    const config = gptqConfig(gridClasses(quantised), unchangedWeights(model, packed), hasDense, version, producer);
    return {
      files: [
        ...replacedWeights(model, layers, replacements, nameOf),
        await quantisedConfig(model, config),
        jsonFile("quantize_config.json", config),
      ],
      compressedBytes: [...replacements.values()].flat().reduce((sum, tensor) => sum + tensorBytes(tensor), 0),
    };
  },
});

/** GPTQ's safetensors with zeros less one, which every program that reads GPTQ reads. */
export const gptqFormat = createGptqFormat("gptq", 1);

/** GPTQ's safetensors with zeros as they are, which gptqmodel and vLLM read. */
export const gptqV2Format = createGptqFormat("gptq-v2", 2);
