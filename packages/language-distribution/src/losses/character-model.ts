/** How often each character followed a context. */
interface Followers {
  total: number;
  readonly counts: Map<string, number>;
}

/** Code points of Unicode: what an unseen character is drawn from. */
const codePoints = 0x110000;

/**
 * A character n-gram model, interpolated by Witten and Bell's weights: in a context seen N times with T different followers, a
 * shorter context counts T/(N + T) (Witten and Bell 1991; method C of Moffat 1990). The shortest falls back on all code points.
 */
export class CharacterModel {
  readonly #order: number;
  readonly #contexts = new Map<string, Followers>();

  /** @param order characters that a character is predicted from, at most */
  constructor(order: number) {
    this.#order = order;
  }

  /** Learns a text; a context does not reach beyond its beginning. */
  learn(text: string): void {
    this.#walk(text, (contexts, character) => {
      for (const context of contexts) {
        let followers = this.#contexts.get(context);
        if (!followers) this.#contexts.set(context, (followers = { total: 0, counts: new Map() }));
        followers.total += 1;
        followers.counts.set(character, (followers.counts.get(character) ?? 0) + 1);
      }
    });
  }

  /** Bits that the model needs for a text. */
  bits(text: string): number {
    let bits = 0;
    this.#walk(text, (contexts, character) => {
      const probability = contexts.reduce((shorter, context) => {
        const followers = this.#contexts.get(context);
        if (!followers) return shorter;
        const { total, counts } = followers;
        return ((counts.get(character) ?? 0) + counts.size * shorter) / (total + counts.size);
      }, 1 / codePoints);
      bits -= Math.log2(probability);
    });
    return bits;
  }

  /** Calls back for each character with its contexts, the shortest first. */
  #walk(text: string, onCharacter: (contexts: readonly string[], character: string) => void): void {
    const characters = Array.from(text);
    for (const [index, character] of characters.entries()) {
      let context = "";
      const contexts = [context];
      for (const before of characters.slice(Math.max(0, index - this.#order), index).toReversed()) {
        context = before + context;
        contexts.push(context);
      }
      onCharacter(contexts, character);
    }
  }
}
