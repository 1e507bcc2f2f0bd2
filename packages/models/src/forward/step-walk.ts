import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import type { Tensor } from "@mbs/onnx";
import type { Site } from "../architectures/layout.ts";
import type { Forward, GivenWeights, StepCut } from "../folder/model.ts";
import { liveValue } from "./step-parts.ts";
import type { StepPart } from "./step-parts.ts";

/** What a part made. */
export interface PartValues {
  readonly made: Readonly<Record<string, Tensor>>;
  /** Tensors of the checkpoint that it used, or was given instead. */
  readonly used: readonly string[];
}

/** The parts of one step, as a kind of model runs them. */
export interface RunnableParts {
  /** One for each round of sites, and the last. */
  readonly parts: readonly StepPart[];
  /** The states after the step. */
  readonly end: string;
  /** Computes what a part makes. */
  readonly run: (part: StepPart, weights: GivenWeights) => Promise<PartValues>;
}

interface WalkedModel {
  readonly steps: readonly { readonly name: string; readonly sites: readonly Pick<Site, "name" | "width">[] }[];
  readonly hiddenSize: number;
  /** The parts of the step of a cut, in the shapes of the cut. */
  readonly partsOf: (cut: StepCut) => RunnableParts | Promise<RunnableParts>;
  /** A value as rows of so many columns; @param rows how many there must be, where it is known */
  readonly rowsOf: (made: PartValues["made"], name: string, columns: number, rows?: number) => Matrix;
}

const noWeights: GivenWeights = new Map();

/** All values that there are after a part: what was kept before it, and what it made. */
async function runPart(cut: StepCut, { run }: RunnableParts, part: StepPart, weights: GivenWeights) {
  const { made, used }: PartValues = part.makes.length === 0 ? { made: {}, used: [] } : await run(part, weights);
  return { values: new Map([...cut.live, ...Object.entries(made)]), used };
}

/** Runs steps of a model part by part. */
export function createStepWalk({ steps, hiddenSize, partsOf, rowsOf }: WalkedModel): Pick<Forward, "nextSites" | "endStep"> {
  return {
    async nextSites(cut, weights = noWeights) {
      const { name: step, sites } = at(steps, cut.step);
      const parts = await partsOf(cut);
      const part = at(parts.parts, cut.round);
      if (part.sites.size === 0) throw new InternalError(`step ${step} has no site after its ${sites.length}`, { step });
      const { values, used } = await runPart(cut, parts, part, weights);
      const after: StepCut = {
        ...cut,
        round: cut.round + 1,
        passed: new Set([...cut.passed, ...part.sites.keys()]),
        live: new Map(part.keeps.map((name) => [name, liveValue(values, name)])),
        used: new Set([...cut.used, ...used]),
      };
      const inputs = sites.flatMap(({ name, width }): [string, Matrix][] => {
        const value = part.sites.get(name);
        return value === undefined ? [] : [[name, rowsOf({ [value]: liveValue(values, value) }, value, width)]];
      });
      return { cut: after, inputs: new Map(inputs) };
    },
    async endStep(cut, weights = noWeights) {
      const { name: step, sites } = at(steps, cut.step);
      const parts = await partsOf(cut);
      const part = at(parts.parts, cut.round);
      if (part.sites.size > 0) {
        throw new InternalError(`step ${step} cannot end after ${cut.passed.size} of ${sites.length} sites`, { step });
      }
      const { values } = await runPart(cut, parts, part, weights);
      return rowsOf({ [parts.end]: liveValue(values, parts.end) }, parts.end, hiddenSize, at(cut.lengths, 0) * cut.batch);
    },
  };
}
