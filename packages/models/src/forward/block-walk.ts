import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { bringTensor, deviceMatrix, freeTensor, isOnDevice } from "@mbs/onnx";
import type { PlacedMatrix, PlacedTensor, Tensor } from "@mbs/onnx";
import type { Site } from "../architectures/layout.ts";
import type { Forward, GivenWeights, BlockCut } from "../folder/model.ts";
import { liveValue } from "./block-parts.ts";
import type { BlockPart } from "./block-parts.ts";

/** What a part made. */
export interface PartValues<Made extends PlacedTensor = PlacedTensor> {
  readonly made: Readonly<Record<string, Made>>;
  /** Tensors of the checkpoint that it used, or was given instead. */
  readonly used: readonly string[];
}

/** The parts of one block, as a kind of model runs them. */
export interface RunnableParts {
  /** One for each round of sites, and the last. */
  readonly parts: readonly BlockPart[];
  /** The states after the block. */
  readonly end: string;
  /** Computes what a part makes. */
  readonly run: (part: BlockPart, weights: GivenWeights) => Promise<PartValues>;
}

interface WalkedModel {
  readonly blocks: readonly { readonly name: string; readonly sites: readonly Pick<Site, "name" | "width">[] }[];
  readonly stateWidth: number;
  readonly hiddenSize: number;
  /** The parts of the block of a cut, in the shapes of the cut. */
  readonly partsOf: (cut: BlockCut) => RunnableParts | Promise<RunnableParts>;
  /** A value in memory as rows of so many columns; @param rows how many there must be, where it is known */
  readonly rowsOf: (made: Readonly<Record<string, Tensor>>, name: string, columns: number, rows?: number) => Matrix;
}

const noWeights: GivenWeights = new Map();

/** All values that there are after a part: what was kept before it, and what it made. */
async function runPart(cut: BlockCut, { run }: RunnableParts, part: BlockPart, weights: GivenWeights) {
  const { made, used }: PartValues = part.makes.length === 0 ? { made: {}, used: [] } : await run(part, weights);
  return { values: new Map([...cut.live, ...Object.entries(made)]), used };
}

/** Frees what a graphics processor holds of a cut that no walk goes on from. @param kept values that are still read */
export function freeCut({ live }: Pick<BlockCut, "live">, kept: Iterable<PlacedTensor> = []): void {
  const others = new Set(kept);
  for (const tensor of live.values()) if (!others.has(tensor)) freeTensor(tensor);
}

/** Runs blocks of a model part by part. */
export function createBlockWalk({
  blocks,
  stateWidth,
  hiddenSize,
  partsOf,
  rowsOf,
}: WalkedModel): Pick<Forward, "nextSites" | "endBlock"> {
  return {
    async nextSites(cut, weights = noWeights) {
      const { name: block, sites } = at(blocks, cut.block);
      const parts = await partsOf(cut);
      const part = at(parts.parts, cut.round);
      if (part.sites.size === 0) throw new InternalError(`block ${block} has no site after its ${sites.length}`, { block });
      const { values, used } = await runPart(cut, parts, part, weights);
      const after: BlockCut = {
        ...cut,
        round: cut.round + 1,
        passed: new Set([...cut.passed, ...part.sites.keys()]),
        live: new Map(part.keeps.map((name) => [name, liveValue(values, name)])),
        used: new Set([...cut.used, ...used]),
      };
      const shown = [...part.sites.values(), ...part.residuals.values()].map((value) => liveValue(values, value));
      freeCut({ live: values }, [...after.live.values(), ...shown]);
      const rows = (value: string, width: number): PlacedMatrix => {
        const tensor = liveValue(values, value);
        return isOnDevice(tensor) ? deviceMatrix(tensor, width) : rowsOf({ [value]: tensor }, value, width);
      };
      const inputs = sites.flatMap(({ name, width }): [string, PlacedMatrix][] => {
        const value = part.sites.get(name);
        return value === undefined ? [] : [[name, rows(value, width)]];
      });
      const residuals = [...part.residuals].map(([name, value]) => [name, rows(value, hiddenSize)] as const);
      return { cut: after, inputs: new Map(inputs), residuals: new Map(residuals) };
    },
    async endBlock(cut, weights = noWeights) {
      const { name: block, sites } = at(blocks, cut.block);
      const parts = await partsOf(cut);
      const part = at(parts.parts, cut.round);
      if (part.sites.size > 0) {
        throw new InternalError(`block ${block} cannot end after ${cut.passed.size} of ${sites.length} sites`, { block });
      }
      const { values } = await runPart(cut, parts, part, weights);
      const end = await bringTensor(liveValue(values, parts.end));
      freeCut({ live: values });
      return rowsOf({ [parts.end]: end }, parts.end, stateWidth, at(cut.lengths, 0) * cut.batch);
    },
  };
}
