import { at } from "@mbs/contracts";
import type { Blas, Real } from "@mbs/contracts";
import { damp, findNonfinite, inverseFactor, invertOrder, NotPositiveDefiniteError, unpackInOrder } from "@mbs/numbers";
import type { LivingDiagonal } from "@mbs/numbers";

/** Products in both precisions. */
export interface Engines {
  readonly single: Blas;
  readonly double: Blas<Float64Array>;
}

export interface FactorAttemptInput {
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

export interface FactorAttemptResult {
  /** U with H⁻¹ = UᵀU, ordered, [width, width]; absent where no attempt succeeded. */
  readonly upper?: Float32Array;
  /** Damping of the last attempt. */
  readonly damping: number;
  readonly precision: "float32" | "float64";
  /** Attempts after the first. */
  readonly retries: number;
  /** Why the last attempt failed; its pivot is a column in natural order. */
  readonly failure?: NotPositiveDefiniteError;
}

/** The first damping that is tried where a damping of 0 fails. */
const smallestDamping = 1e-4;

interface Attempt {
  readonly precision: "float32" | "float64";
  readonly damping: number;
}

/** float32, then float64, then ten times the damping in float64, again and again. */
function attemptsOf(damping: number, raises: number): Attempt[] {
  const raised = Array.from({ length: raises }, (_, index) =>
    damping > 0 ? damping * 10 ** (index + 1) : smallestDamping * 10 ** index,
  );
  return [
    { precision: "float32", damping },
    ...[damping, ...raised].map((value) => ({ precision: "float64" as const, damping: value })),
  ];
}

async function factorise({ precision, damping }: Attempt, input: FactorAttemptInput, engines: Engines): Promise<Float32Array> {
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
 * Factorises the ordered, damped H⁻¹, in float32, then in float64, then with more damping, until an attempt succeeds.
 *
 * Pure in its inputs; retries are counted in the result, never silent.
 */
export async function factoriseWithRetries(input: FactorAttemptInput, engines: Engines): Promise<FactorAttemptResult> {
  const attempts = attemptsOf(input.damping, input.raises);
  let failure: NotPositiveDefiniteError | undefined;
  for (const [retries, settings] of attempts.entries()) {
    try {
      return { ...settings, upper: await factorise(settings, input, engines), retries };
    } catch (error) {
      if (!(error instanceof NotPositiveDefiniteError)) throw error;
      failure = new NotPositiveDefiniteError(at(input.order, error.pivot), error.value);
    }
  }
  const last = at(attempts, attempts.length - 1);
  return { ...last, retries: attempts.length - 1, ...(failure && { failure }) };
}
