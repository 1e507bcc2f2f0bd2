import { at } from "@mbs/contracts";
import type { Blas, Real } from "@mbs/contracts";
import { damp, findNonfinite, inverseFactor, invertOrder, NotPositiveDefiniteError, unpackInOrder } from "@mbs/numbers";
import type { LivingDiagonal } from "@mbs/numbers";

/** Products in both precisions. */
export interface Engines {
  readonly single: Blas;
  readonly double: Blas<Float64Array>;
}

export interface LadderInput {
  /** E[x xᵀ], natural order, packed upper half, undamped. */
  readonly gram: Float32Array;
  /** Position → column, length width. */
  readonly order: Int32Array;
  readonly living: LivingDiagonal;
  /** Fraction of the living mean, ≥ 0. */
  readonly damping: number;
  /** How often the damping may be raised tenfold. */
  readonly raises: number;
}

export interface LadderResult {
  /** U with H⁻¹ = UᵀU, ordered, [width, width]; absent when no rung held. */
  readonly upper?: Float32Array;
  /** Damping of the last rung. */
  readonly damping: number;
  readonly precision: "float32" | "float64";
  /** Rungs climbed after the first attempt. */
  readonly rescues: number;
  /** Why the last rung failed; its pivot is a column in natural order. */
  readonly failure?: NotPositiveDefiniteError;
}

/** The first damping that is tried where a damping of 0 fails. */
const smallestDamping = 1e-4;

interface Rung {
  readonly precision: "float32" | "float64";
  readonly damping: number;
}

/** float32, then float64, then ten times the damping in float64, again and again. */
function rungs(damping: number, raises: number): Rung[] {
  const raised = Array.from({ length: raises }, (_, index) =>
    damping > 0 ? damping * 10 ** (index + 1) : smallestDamping * 10 ** index,
  );
  return [
    { precision: "float32", damping },
    ...[damping, ...raised].map((value) => ({ precision: "float64" as const, damping: value })),
  ];
}

async function attempt({ precision, damping }: Rung, input: LadderInput, engines: Engines): Promise<Float32Array> {
  const { gram, order, living } = input;
  const size = order.length;
  const ordered = unpackInOrder(gram, order);
  const positions = invertOrder(order);
  const diagonal = { mean: living.mean, dead: living.dead.map((column) => at(positions, column)) };
  const factorised = async <Values extends Real>(blas: Blas<Values>, hessian: Values): Promise<Values> => {
    damp(hessian, size, diagonal, damping);
    return inverseFactor(blas, hessian, size);
  };
  const upper =
    precision === "float32"
      ? await factorised(engines.single, ordered)
      : new Float32Array(await factorised(engines.double, new Float64Array(ordered)));
  const nonfinite = findNonfinite(upper);
  if (nonfinite >= 0) throw new NotPositiveDefiniteError(nonfinite % size, NaN);
  return upper;
}

/**
 * Factorises the ordered, damped H⁻¹, climbing from float32 over float64 to more damping until a rung holds.
 *
 * Pure in its inputs; every rung climbed is counted in the result, never silent.
 */
export async function climbLadder(input: LadderInput, engines: Engines): Promise<LadderResult> {
  const ladder = rungs(input.damping, input.raises);
  let failure: NotPositiveDefiniteError | undefined;
  for (const [rescues, rung] of ladder.entries()) {
    try {
      return { ...rung, upper: await attempt(rung, input, engines), rescues };
    } catch (error) {
      if (!(error instanceof NotPositiveDefiniteError)) throw error;
      failure = new NotPositiveDefiniteError(at(input.order, error.pivot), error.value);
    }
  }
  const last = at(ladder, ladder.length - 1);
  return { ...last, rescues: ladder.length - 1, ...(failure && { failure }) };
}
