import { at, BadDataError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import type { Forward } from "../folder/model.ts";

/** Tokens whose logits are looked at together: small enough to stay in the caches. */
const tokensAtATime = 4096;

/** The likeliest token of a row, and its logit. */
export interface LikeliestToken {
  readonly token: number;
  /** NaN or Infinity where any logit of the row is; -Infinity, that of a token which is never written, is none of these. */
  readonly logit: number;
}

/** The most likely tokens so far, by row. */
class Likeliest {
  readonly #tokens: Int32Array;
  readonly #logits: Float32Array;

  constructor(rows: number) {
    this.#tokens = new Int32Array(rows);
    this.#logits = new Float32Array(rows).fill(-Infinity);
  }

  /** @param logits [count, rows] of the tokens from `first` on */
  add(logits: Float32Array, first: number): void {
    const [tokens, most] = [this.#tokens, this.#logits];
    const rows = tokens.length;
    for (let place = 0, token = first; place < logits.length; token += 1) {
      for (let row = 0; row < rows; row += 1, place += 1) {
        const value = logits[place]!;
        // nothing is above NaN or Infinity, so they stay
        if (!(value > most[row]!) && value < Infinity) continue;
        most[row] = value;
        tokens[row] = token;
      }
    }
  }

  list(): readonly LikeliestToken[] {
    return Array.from(this.#tokens, (token, row) => ({ token, logit: at(this.#logits, row) }));
  }
}

/**
 * The most probable token of each row; of equal ones the first.
 *
 * @param states after the last block, [rows, hidden]
 * @param vocabulary how many tokens there are
 */
export async function likeliestTokens(
  forward: Pick<Forward, "logits" | "logitsByTokens">,
  states: Matrix,
  vocabulary: number,
): Promise<readonly LikeliestToken[]> {
  const { rows } = states;
  const tiles = await forward.logitsByTokens?.(states, { turned: true });
  if (tiles === undefined) {
    const { columns, values } = await forward.logits(states);
    return Array.from({ length: rows }, (_, row) => {
      const own = new Likeliest(1);
      own.add(values.subarray(row * columns, (row + 1) * columns), 0);
      return at(own.list(), 0);
    });
  }
  const likeliest = new Likeliest(rows);
  const buffer = new Float32Array(rows * Math.min(vocabulary, tokensAtATime));
  for (let first = 0; first < vocabulary; first += tokensAtATime) {
    const count = Math.min(tokensAtATime, vocabulary - first);
    likeliest.add((await tiles({ first, count }, buffer.subarray(0, rows * count))).values, first);
  }
  return likeliest.list();
}

/**
 * The token of a row.
 *
 * @param of the model and the text, as messages call them
 * @throws {BadDataError} where a logit of the row is NaN or Infinity
 */
export function requireToken({ token, logit }: LikeliestToken, of: { readonly model: string; readonly text: string }): number {
  if (logit < Infinity) return token;
  throw new BadDataError(
    `${of.model}: a logit of ${of.text} is ${logit}; the weights of its head overflow or are broken: take the model from its source again`,
    of,
  );
}
