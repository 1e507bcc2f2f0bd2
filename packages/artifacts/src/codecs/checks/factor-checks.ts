import { BadDataError } from "@mbs/contracts";
import { packedDiagonal } from "@mbs/numbers";
import type { FactorRecord } from "../../kinds/records.ts";
import { denseLayout, packedLayout } from "../../rows/panels.ts";
import { requireFinite, requireMeanSquares } from "./matrix-checks.ts";

const remedy = "factor again";

/** How far the sum of the weights may be from 1: rounding of float64. */
const roundingOfShares = 1e-6;

/** The precisions in which factors are made. */
const precisions: readonly string[] = ["float32", "float64"];
/** What can replace a method where there is no factor. */
const replacement = "rtn";
/** What can be done where too few tokens reached a site. */
const treatments: ReadonlySet<string> = new Set(["block", "rtn"]);

function* summaryFaults({ width, summary, diagonal }: FactorRecord): Generator<string | false> {
  const { tokens, weights, damping, requestedDamping, precision, dead, factorised, fallback, reached, starved } = summary;
  yield tokens === 0 && "it is of no tokens";
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
  yield Math.abs(sum - 1) > roundingOfShares && `the weights of its languages sum to ${sum}, not to 1`;
  yield damping < requestedDamping && `its damping ${damping} is below the requested ${requestedDamping}`;
  yield !precisions.includes(precision) && `its precision ${JSON.stringify(precision)} is none of ${precisions.join(", ")}`;
  yield fallback !== undefined && factorised && "it has a factor and a fallback for one that is missing";
  yield fallback !== undefined && fallback !== replacement && `its fallback ${JSON.stringify(fallback)} is unknown`;
  yield starved !== undefined && !treatments.has(starved) && `its treatment ${JSON.stringify(starved)} is unknown`;
  yield reached !== undefined && reached > tokens && `${reached} of its ${tokens} tokens reached it`;
  const outside = dead.find((channel) => channel >= width);
  yield outside !== undefined && `its dead channel ${outside} is beyond its ${width} channels`;
  const living = dead.find((channel) => diagonal[channel] !== 0);
  yield living !== undefined && `its dead channel ${living} has the mean square ${diagonal[living]}`;
}

/**
 * Refuses an invalid factor: numbers that are not finite, negative mean squares, a triangular matrix without an
 * inverse, parts that contradict each other.
 *
 * @param what the factor, for messages
 * @throws {BadDataError} naming the part, row and column
 */
export function requireFactor(what: string, record: FactorRecord): void {
  const { width, diagonal, gram, crossMoment, upper, languageDiagonals = [] } = record;
  const refuse = (fault: string): never => {
    throw new BadDataError(`${what}: ${fault}; ${remedy}`, { what });
  };
  const name = (part: string) => ({ what: `${part} of the ${what}`, remedy });
  const packed = packedLayout(width);
  requireMeanSquares(name("diagonal"), diagonal);
  for (const { language, values } of languageDiagonals) requireMeanSquares(name(`diagonal of ${language}`), values);
  if (gram !== undefined) {
    requireFinite(name("gram"), packed, gram);
    const other = packedDiagonal(gram, width).findIndex((square, channel) => square !== diagonal[channel]);
    if (other >= 0) refuse(`its gram and its diagonal differ at channel ${other}`);
  }
  if (crossMoment !== undefined) requireFinite(name("cross-moment"), denseLayout(width, width), crossMoment);
  if (upper !== undefined) {
    requireFinite(name("upper"), packed, upper);
    const pivots = packedDiagonal(upper, width);
    const wrong = pivots.findIndex((pivot) => pivot <= 0);
    if (wrong >= 0) refuse(`its upper has ${pivots[wrong]} at row ${wrong}, column ${wrong}, where it is above 0`);
  }
  for (const fault of summaryFaults(record)) if (fault !== false) refuse(fault);
}
