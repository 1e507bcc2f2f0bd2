import { createContext, Script } from "node:vm";

/** Milliseconds for a text of a million characters or fewer. Expressions such as (a+)+$ take exponential time. */
const patternMilliseconds = 2000;

const script = new Script("step()");
const context: { step?: () => unknown } = {};
let isContext = false;

/**
 * Matches with a regular expression from a file, and gives up after two seconds; each further million characters of the text
 * has two more. JavaScript has no time limit of its own for that, and engines without backtracking lack the lookarounds that
 * tasks and tokenizers use. A call costs about 0.1 ms, for the thread that watches the time.
 *
 * @param characters of the text
 * @param match uses the expression
 * @param tooLong makes the error where that was not enough
 */
export function matchWithinTime<Result>(
  characters: number,
  match: () => Result,
  tooLong: (milliseconds: number, cause: unknown) => Error,
): Result {
  if (!isContext) createContext(context);
  isContext = true;
  context.step = match;
  const milliseconds = patternMilliseconds * Math.max(1, Math.ceil(characters / 1e6));
  try {
    return script.runInContext(context, { timeout: milliseconds }) as Result;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "ERR_SCRIPT_EXECUTION_TIMEOUT" ? tooLong(milliseconds, error) : error;
  }
}
