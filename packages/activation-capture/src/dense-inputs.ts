import { at } from "@mbs/contracts";
import type { Blas, Matrix } from "@mbs/contracts";
import type { Block, Model, Site } from "@mbs/models";
import { inverseFactor } from "@mbs/numbers";
import { freeMatrix, readMatrix } from "@mbs/onnx";
import type { PlacedMatrix } from "@mbs/onnx";
import type { SitePlan, SumTools } from "./language-statistics.ts";

/** Added to the squared singular values of a weight, as a share of their mean: outputs that it hardly makes are not aimed at. */
const ridge = 1e-3;

/** The transposed pseudoinverse of W: e·P is the least input x with W·x = e, but for the ridge. @returns P, [rows, columns] */
async function pseudoInverse(blas: Blas, { rows, columns, values }: Matrix): Promise<Matrix> {
  // products of very small or large weights would leave float32
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const weight = { rows, columns, values: values.map((value) => value / largest) };
  const { values: gram } = await blas.gemm(weight, weight, { transposeB: true });
  const places = Array.from({ length: rows }, (_, row) => row * (rows + 1));
  const mean = places.reduce((sum, place) => sum + at(gram, place), 0) / rows;
  // a weight of zeros has no mean
  for (const place of places) gram[place] = at(gram, place) + (ridge * mean || 1);
  const upper = { rows, columns: rows, values: await inverseFactor(blas, gram, rows) };
  return blas.gemm(upper, await blas.gemm(upper, weight), { transposeA: true, alpha: 1 / largest });
}

/** The inputs of some sites, and the states that their outputs are added to, by site. */
export interface SiteValues {
  readonly inputs: ReadonlyMap<string, PlacedMatrix>;
  readonly residuals: ReadonlyMap<string, PlacedMatrix>;
}

/** How a site's weight is to make up for what compression did to the states that its output is added to. */
type ResidualAim = (
  input: PlacedMatrix,
  residuals: { readonly own: PlacedMatrix; readonly dense: PlacedMatrix },
) => Promise<PlacedMatrix>;

async function createResidualAim(
  model: Pick<Model, "readWeight">,
  { weights, width }: Site,
  { factor }: NonNullable<Site["adds"]>,
  { blas, rows: tokenRows }: Pick<SumTools, "blas" | "rows">,
): Promise<ResidualAim> {
  const { tensor, rows } = at(weights, 0);
  const weight = { rows, columns: width, values: await model.readWeight(tensor) };
  const inverse = await pseudoInverse(blas, weight);
  return async (input, { own, dense }) => {
    const difference = await tokenRows.difference(dense, own, new Float32Array(own.rows).fill(1 / factor));
    try {
      if ("tensor" in difference) return await tokenRows.addProduct(difference, inverse, input);
      if (difference.values.every((value) => value === 0)) return input;
      return await blas.gemm(difference, inverse, { add: await readMatrix(input) });
    } finally {
      freeMatrix(difference);
    }
  };
}

/**
 * The dense model's inputs x̃ of a block's sites, as its weights are to see them: where a site's output is added to states,
 * x̃ + W⁺·e, with e the output that adds what the compressed model's states lack. On that input W gives what the dense model has
 * after the addition, so that weights which are corrected towards W·x̃ (QEP, GPTAQ) aim at the dense model's states.
 *
 * Only for tokens that are normalised by those states: a first token's are up to a thousand times as large as others', and what
 * they lack would be made up for at the cost of all others. Corrections of SmolLM2 at 2 bits then grow from block to block.
 *
 * @see arXiv:2509.06297 (LoaQ), which aims at these states too
 */
export class DenseInputs {
  readonly #made = new Map<string, Promise<ResidualAim>>();
  readonly #model: Model;
  readonly #block: Block;
  readonly #tools: Pick<SumTools, "blas" | "rows">;

  constructor(model: Model, block: Block, tools: Pick<SumTools, "blas" | "rows">) {
    this.#model = model;
    this.#block = block;
    this.#tools = tools;
  }

  /**
   * Of one site.
   *
   * @param own of the compressed model: residuals are [tokens, hidden]
   * @returns [tokens, width], not to be changed, and to be freed where it is not the dense model's input; undefined where the dense model was not walked to that site
   */
  async of({ site: name, normalised }: SitePlan, own: SiteValues, dense: SiteValues): Promise<PlacedMatrix | undefined> {
    const input = dense.inputs.get(name);
    const [ownResidual, denseResidual] = [own.residuals.get(name), dense.residuals.get(name)];
    const site = this.#block.sites.find((known) => known.name === name);
    if (!normalised || !input || site?.adds === undefined || !ownResidual || !denseResidual) return input;
    const aim = this.#made.get(name) ?? createResidualAim(this.#model, site, site.adds, this.#tools);
    this.#made.set(name, aim);
    return (await aim)(input, { own: ownResidual, dense: denseResidual });
  }
}
