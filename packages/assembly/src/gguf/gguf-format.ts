import { FailedPreconditionError, InternalError, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import {
  allocatedTypes,
  ggufGrids,
  quantisationTypeNamed,
  bytesIn,
  fittingType,
  ggufBytes,
  typeMixNamed,
  roundsNothing,
  typeMixes,
  writeGguf,
} from "@mbs/gguf";
import type { QuantisationType, GgufField, TypeMix } from "@mbs/gguf";
import { checkGguf, ggufFile, ggufTypes, planGguf, planGgufTensors, readCardSource, requireFiniteWeights } from "@mbs/models";
import type { ArchitectureModel, GgufPlan } from "@mbs/models";
import { codeBits } from "@mbs/numbers";
import { isRoundedAgain } from "../card/storage-counts.ts";
import type { Format, PlannedGrids } from "../format.ts";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { siteWeights } from "../layers/site-weights.ts";
import { tensorBytes } from "./tensor-rows.ts";
import { blindLine, fallbackLine, groupsByType, typeLine } from "./type-report.ts";

const options = {
  type: {
    kind: "choice",
    choices: [...typeMixes.keys()],
    default: "Q4_K_M",
    description:
      "types of the tensors, by the names that llama-quantize has for its type mixes; the digit is about the bits of a weight",
  },
} as const satisfies OptionTable;

/** Of the way in which blocks are stored, since llama.cpp changed it twice. */
const quantisationVersion = 2;

const chosenTypeMix = (raw: unknown): TypeMix => typeMixNamed(parseOptions(options, raw, "assemble --format gguf").type);

function numberOf({ name, number }: QuantisationType): number {
  if (number === undefined) throw new InternalError(`no GGUF file has ${name}, which \`holds\` does not list`, { type: name });
  return number;
}

/** What the file says of the model's origin, by names after "general.". */
async function generalFields(
  model: ArchitectureModel,
  name: string,
  { fileType, base }: TypeMix,
): Promise<Map<string, GgufField>> {
  const { license } = await readCardSource(model);
  const isQuantised = !/^B?F(16|32)$/.test(base);
  return new Map<string, GgufField>([
    ["name", { type: "string", value: name }],
    ...(license === undefined ? [] : [["license", { type: "string", value: license }] as const]),
    ["file_type", { type: "u32", value: fileType }],
    ...(isQuantised ? [["quantization_version", { type: "u32", value: quantisationVersion }] as const] : []),
  ]);
}

/** Bytes of the tensors that layers change, by their share of tensors that hold those of all experts. */
function changedBytes({ tensors }: GgufPlan, types: ReadonlyMap<string, QuantisationType>, { summaries }: ScratchLayers): number {
  return tensors.reduce((total, { name, shape, sources }) => {
    const type = types.get(name);
    const changed = sources.filter((source) => summaries.has(source)).length;
    return type === undefined || changed === 0 ? total : total + (bytesIn(type, shape) * changed) / sources.length;
  }, 0);
}

/** The types of tensors whose layers hold blocks, by name: a solver has rounded them to these with what it knows. */
function typesOfLayers({ tensors }: GgufPlan, layers: ScratchLayers): ReadonlyMap<string, QuantisationType> {
  return new Map(
    tensors.flatMap(({ name, sources }) => {
      const grids = new Set(sources.map((source) => layers.summaries.get(source)?.grid));
      const [grid] = grids;
      const isWhole = grids.size === 1 && sources.every((source) => layers.has(source, "blocks"));
      return grid === undefined || !isWhole ? [] : [[name, quantisationTypeNamed(grid)] as const];
    }),
  );
}

/**
 * The types of tensors with NaN or Inf, by name: matrices stay as in the source, since blocks would damage what is beside such a
 * value. Empty where such tensors are refused, as soon as they are read.
 */
async function typesOfNonfinite(
  model: ArchitectureModel,
  { tensors }: GgufPlan,
  layers: ScratchLayers,
): Promise<ReadonlyMap<string, QuantisationType>> {
  const { checkpoint } = model;
  if (!checkpoint.allowNonfinite) return new Map();
  const types = new Map<string, QuantisationType>();
  for (const { name, sources } of tensors) {
    const stored = sources.filter((source) => !layers.summaries.has(source));
    await requireFiniteWeights(model, stored);
    const wrong = stored.find((source) => checkpoint.nonfinite.has(source));
    if (wrong === undefined) continue;
    const { shape, dtype = model.dtype } = checkpoint.info(wrong);
    // programs expect vectors as F32, which holds a NaN as it is
    types.set(name, quantisationTypeNamed((shape.length === 1 ? "f32" : dtype).toUpperCase()));
  }
  return types;
}

/** Whether a tensor is going to hold blocks of a type that is not that of the type mix. */
function hasOtherType(
  model: ArchitectureModel,
  { type }: PlannedGrids,
  { base }: TypeMix,
): (tensor: GgufPlan["tensors"][number]) => boolean {
  const solved = new Set(siteWeights(model).map(({ tensor }) => tensor));
  return ({ sources }) => type !== undefined && type !== base && sources.some((source) => solved.has(source));
}

/** Whether an allocation chose the types of layers. */
const hasAllocatedTypes = ({ origins, summaries }: ScratchLayers): boolean =>
  origins.some(({ options }) => options["allocation"] !== undefined) &&
  [...summaries.values()].some(({ grid }) => grid !== undefined);

const hasNoBits =
  "GGUF files have types and no bits of their own: leave out bits, and allocate chooses between types; or take another format";

/** Types of about as many bits, by bits. */
const typesOfBits: ReadonlyMap<number, string> = new Map([
  [2, "Q2_K"],
  [3, "Q3_K_M"],
  [4, "Q4_K_M"],
  [5, "Q5_K_M"],
  [6, "Q6_K"],
]);

/**
 * Refuses codes that would be rounded a second time: the file is then larger than one of the codes' own bits, and worse than
 * one whose types the solver has rounded to. By hand, `mbs assemble` warns of it.
 *
 * @throws {FailedPreconditionError} naming the bits, the type mix and what to take instead
 */
function requireRoundedOnce({ grids, embeddings }: Pick<PlannedGrids, "grids" | "embeddings">, typeMix: string): void {
  const [first] = [...grids, ...embeddings];
  if (first === undefined || roundsNothing(typeMix)) return;
  const { bits } = first.grid;
  const [what, asked] = grids.length > 0 ? ["weights", "bits"] : ["embedding and head", `embeddings: ${bits}`];
  const smaller = typesOfBits.get(bits) ?? "Q8_0";
  throw new FailedPreconditionError(
    `${what} rounded to ${bits} bits would be rounded again to the types of ${typeMix}, since GGUF files have types and no bits of their own; leave out ${asked} and all options of groups, so that gptq and rtn round to the types of the file: assemble: { format: gguf, type: ${smaller} } takes about ${bits} bits; or take format gptq, which stores the codes, or type F16, which stores their values`,
    { format: "gguf", bits, type: typeMix },
  );
}

/** One file for llama.cpp and what is made of it: weights, configuration, tokenizer and chat template. */
export const ggufFormat: Format = {
  name: "gguf",
  stacks: ["decoder", "encoder"],
  holds(raw) {
    const { name: typeMix } = chosenTypeMix(raw);
    const blocks = { kind: "blocks", types: ggufGrids, allocated: allocatedTypes, typeMix } as const;
    // by hand rounded again to the types of the file, unless these round nothing; a recipe is refused that (checkPlan)
    const groups = { kind: "groups", bits: codeBits, zeroPoints: "any", sameBits: hasNoBits } as const;
    return roundsNothing(typeMix) ? [groups, blocks] : [blocks, groups];
  },
  withoutLayers: true,
  isOneFile: true,
  options,
  parts: [],
  async checkPlan(model, planned, raw) {
    const { name } = chosenTypeMix(raw);
    requireRoundedOnce(planned, name);
    if (model.kind === "architecture") await checkGguf(model);
  },
  async plannedBytes(model, planned, raw) {
    const typeMix = chosenTypeMix(raw);
    const plan = await planGguf(model, new Map());
    const ofMix = ggufTypes(plan, typeMix);
    const isOther = hasOtherType(model, planned, typeMix);
    const written = plan.tensors.map((tensor) => {
      const { name, shape } = tensor;
      const type = isOther(tensor) ? fittingType(planned.type ?? typeMix.base, shape.at(-1) ?? 1) : ofMix.get(name);
      if (type === undefined) throw new InternalError(`GGUF: tensor ${name} has no type`, { tensor: name });
      return { name, shape, type: numberOf(type), bytes: bytesIn(type, shape) };
    });
    return ggufBytes(plan.metadata, written);
  },
  async plannedFallbacks(model, planned, raw) {
    const typeMix = chosenTypeMix(raw);
    const plan = await planGgufTensors(model);
    const isOther = hasOtherType(model, planned, typeMix);
    const ruled = plan.tensors.filter((tensor) => !isOther(tensor));
    return fallbackLine(ruled, ggufTypes(plan, typeMix), typeMix.base);
  },
  async plan(model, layers, raw, { name, warn, note }) {
    const typeMix = chosenTypeMix(raw);
    const plan = await planGguf(model, await generalFields(model, name, typeMix));
    for (const remark of plan.notes) warn(remark);
    const ofMix = ggufTypes(plan, typeMix);
    const ofLayers = typesOfLayers(plan, layers);
    const ofNonfinite = await typesOfNonfinite(model, plan, layers);
    const types = new Map([...ofMix, ...ofLayers, ...ofNonfinite]);
    const typeOf = (name: string): QuantisationType => {
      const type = types.get(name);
      if (type === undefined) throw new InternalError(`GGUF: tensor ${name} has no type`, { tensor: name });
      return type;
    };
    const line = typeLine(plan.tensors, types);
    const isAllocated = hasAllocatedTypes(layers);
    const others = new Map([...ofLayers].filter(([name, type]) => !isAllocated && ofMix.get(name) !== type));
    note?.(`${isAllocated ? "allocated" : `--type ${typeMix.name}`}: ${line}`);
    if (others.size > 0) {
      warn(`layers hold blocks of other types, which are written as they are: ${groupsByType([...others.keys()], others)}`);
    }
    // what layers say differs from the rule is no matter of the rule
    const ruled = plan.tensors.filter(({ name }) => !others.has(name) && !ofNonfinite.has(name));
    const fallbacks = fallbackLine(ruled, types, typeMix.base);
    if (fallbacks !== undefined) warn(fallbacks);
    const again = plan.tensors.filter(({ name, sources }) =>
      sources.some((source) => isRoundedAgain(layers.summaries.get(source), typeOf(name).name)),
    ).length;
    if (again > 0) {
      warn(
        `${again} matrices have codes of other grids and are rounded again to these types; compress with --type-mix ${typeMix.name} instead of bits, which a recipe does by itself, to round once`,
      );
    }
    const untouched = plan.tensors.filter(({ sources }) => !sources.some((source) => layers.summaries.has(source)));
    const blind = blindLine(untouched, types);
    if (blind !== undefined) warn(blind);
    const planned = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
    const written = plan.tensors.map(({ name, shape }) => {
      const type = typeOf(name);
      return { name, type: numberOf(type), shape, bytes: bytesIn(type, shape) };
    });
    return {
      files: [
        {
          path: ggufFile,
          content: () =>
            writeGguf(plan.metadata, written, ({ name }) => {
              const tensor = planned.get(name);
              if (tensor === undefined) throw new InternalError(`GGUF: tensor ${name} was not planned`, { tensor: name });
              return tensorBytes(model, layers, tensor, typeOf(name));
            }),
        },
      ],
      compressedBytes: changedBytes(plan, types, layers),
      types: new Map(
        plan.tensors.flatMap(({ name, sources }) =>
          sources.flatMap((source) => (layers.summaries.has(source) ? [[source, typeOf(name).name] as const] : [])),
        ),
      ),
      tables: new Map(
        plan.tensors.flatMap(({ name, shape, sources: [source, ...others] }) =>
          source === undefined || others.length > 0 ? [] : [[source, bytesIn(typeOf(name), shape)] as const],
        ),
      ),
      bytes: written.reduce((total, { bytes }) => total + bytes, 0),
    };
  },
};
