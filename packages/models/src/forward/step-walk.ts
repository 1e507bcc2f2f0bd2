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
  readonly parts: readonly StepPart[];
  /** Computes what a part makes. */
  readonly run: (part: StepPart, weights: GivenWeights) => Promise<PartValues>;
}

interface WalkedModel {
  readonly steps: readonly { readonly name: string; readonly sites: readonly Pick<Site, "width">[] }[];
  readonly hiddenSize: number;
  /** The parts of the step of a cut, in the shapes of the cut. */
  readonly partsOf: (cut: StepCut) => RunnableParts | Promise<RunnableParts>;
  /** A value as rows of so many columns; @param rows how many there must be, where it is known */
  readonly rowsOf: (made: PartValues["made"], name: string, columns: number, rows?: number) => Matrix;
}

const noWeights: GivenWeights = new Map();

/** Runs steps of a model part by part. */
export function createStepWalk({ steps, hiddenSize, partsOf, rowsOf }: WalkedModel): Pick<Forward, "nextSite" | "endStep"> {
  /** Computes the next part. */
  const advance = async (cut: StepCut, weights: GivenWeights) => {
    const { parts, run } = await partsOf(cut);
    const part = at(parts, cut.reached);
    const { made, used }: PartValues = part.makes.length === 0 ? { made: {}, used: [] } : await run(part, weights);
    const values = new Map([...cut.live, ...Object.entries(made)]);
    const target = { [part.target]: liveValue(values, part.target) };
    const live = new Map(part.keeps.map((name) => [name, liveValue(values, name)]));
    const after: StepCut = { ...cut, reached: cut.reached + 1, live, used: new Set([...cut.used, ...used]) };
    return { after, matrix: (columns: number, rows?: number) => rowsOf(target, part.target, columns, rows) };
  };
  return {
    async nextSite(cut, weights = noWeights) {
      const { name, sites } = at(steps, cut.step);
      const site = sites[cut.reached];
      if (site === undefined) throw new InternalError(`step ${name} has no site after its ${sites.length}`, { step: name });
      const { after, matrix } = await advance(cut, weights);
      return { cut: after, input: matrix(site.width) };
    },
    async endStep(cut, weights = noWeights) {
      const { name, sites } = at(steps, cut.step);
      if (cut.reached < sites.length) {
        throw new InternalError(`step ${name} cannot end after ${cut.reached} of ${sites.length} sites`, { step: name });
      }
      const { matrix } = await advance(cut, weights);
      return matrix(hiddenSize, at(cut.lengths, 0) * cut.batch);
    },
  };
}
