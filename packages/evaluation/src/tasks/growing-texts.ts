import { at, BadDataError, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { plantTree, rowsAt } from "@mbs/models";
import type { TokenTree, TreeForward } from "@mbs/models";
import { findNonfinite } from "@mbs/numbers";
import type { ScoredBy } from "../run-windows.ts";
import { compareTokens } from "./text-packs.ts";

/** A text that goes on: the row of its last token, and its name in messages. */
interface GrowingText {
  readonly name: string;
  last: number;
}

/**
 * Texts that go on in one tree: what they have in common at their beginning is read once, and so is each token, since keys and
 * values of the tokens before are kept.
 */
export class GrowingTexts {
  readonly #forward: TreeForward;
  readonly #scored: ScoredBy;
  readonly #cache: ReturnType<TreeForward["startCache"]>;
  readonly #tokens: number[];
  readonly #parents: number[];
  readonly #positions: number[];
  readonly #texts: readonly GrowingText[];

  /** @param texts with their tokens, at least one each */
  constructor(forward: TreeForward, scored: ScoredBy, texts: readonly { readonly name: string; readonly tokens: Int32Array }[]) {
    this.#forward = forward;
    this.#scored = scored;
    this.#cache = forward.startCache();
    // texts that begin alike share that only beside each other
    const sorted = [...texts.keys()].sort((a, b) => compareTokens(at(texts, a).tokens, at(texts, b).tokens));
    const { tree, rows } = plantTree(sorted.map((index) => at(texts, index).tokens));
    this.#tokens = [...tree.tokens];
    this.#parents = [...tree.parents];
    this.#positions = [...tree.positions];
    const lasts = new Map(sorted.map((index, place) => [index, at(at(rows, place), at(rows, place).length - 1)]));
    this.#texts = texts.map(({ name }, index) => ({ name, last: lasts.get(index) ?? 0 }));
  }

  #tree(): TokenTree {
    return {
      tokens: Int32Array.from(this.#tokens),
      parents: Int32Array.from(this.#parents),
      positions: Int32Array.from(this.#positions),
    };
  }

  /**
   * Reads what was not read before.
   *
   * @param texts by their numbers: those whose last token is new
   * @returns the states after the last block of their last tokens, [texts, hidden]
   * @throws {BadDataError} naming a text whose states are not finite
   */
  async read(texts: readonly number[]): Promise<Matrix> {
    const first = this.#cache.length;
    const states = await this.#forward.readOn(this.#cache, this.#tree(), { activations: this.#scored.activations });
    const rows = texts.map((text) => at(this.#texts, text).last - first);
    if (rows.some((row) => row < 0)) throw new InternalError("the last token of a text was read before");
    const last = rowsAt(states, rows);
    const wrong = findNonfinite(last.values);
    if (wrong < 0) return last;
    const { name } = at(this.#texts, at(texts, Math.floor(wrong / last.columns)));
    throw new BadDataError(
      `${this.#scored.label}: ${at(last.values, wrong)} in the states of ${name}; a weight is broken or too large: take the model from its source again`,
      { model: this.#scored.label, text: name },
    );
  }

  /** Adds a token to a text. */
  add(text: number, token: number): void {
    const own = at(this.#texts, text);
    this.#parents.push(own.last);
    this.#positions.push(at(this.#positions, own.last) + 1);
    own.last = this.#tokens.push(token) - 1;
  }
}
