import { BadDataError } from "@mbs/contracts";

const size = 624;
const middle = 397;

/**
 * Python's `random.Random(seed)`, as far as `sample` needs it: the Mersenne Twister MT19937.
 *
 * @see Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998
 */
export class PythonRandom {
  readonly #state = new Uint32Array(size);
  #next = size;

  /** @param seed a whole number; its sign is ignored, as in Python */
  constructor(seed: number) {
    const key: number[] = [];
    for (let rest = Math.abs(seed); rest > 0 || key.length === 0; rest = Math.floor(rest / 2 ** 32)) key.push(rest % 2 ** 32);
    this.#fill(19650218);
    const state = this.#state;
    const before = (index: number): number => {
      const previous = state[index - 1] ?? 0;
      return previous ^ (previous >>> 30);
    };
    let index = 1;
    const advance = (): void => {
      index += 1;
      if (index < size) return;
      state[0] = state[size - 1] ?? 0;
      index = 1;
    };
    for (let step = 0; step < Math.max(size, key.length); step += 1) {
      const position = step % key.length;
      state[index] = ((state[index] ?? 0) ^ Math.imul(before(index), 1664525)) + (key[position] ?? 0) + position;
      advance();
    }
    for (let step = 1; step < size; step += 1) {
      state[index] = ((state[index] ?? 0) ^ Math.imul(before(index), 1566083941)) - index;
      advance();
    }
    state[0] = 0x80000000;
  }

  #fill(seed: number): void {
    const state = this.#state;
    state[0] = seed;
    for (let index = 1; index < size; index += 1) {
      const previous = state[index - 1] ?? 0;
      state[index] = Math.imul(1812433253, previous ^ (previous >>> 30)) + index;
    }
  }

  #regenerate(): void {
    const state = this.#state;
    for (let index = 0; index < size; index += 1) {
      const joined = ((state[index] ?? 0) & 0x80000000) | ((state[(index + 1) % size] ?? 0) & 0x7fffffff);
      state[index] = (state[(index + middle) % size] ?? 0) ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }

  /** 32 random bits. */
  bits(): number {
    if (this.#next >= size) this.#regenerate();
    let word = this.#state[this.#next] ?? 0;
    this.#next += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** A whole number in [0, limit), limit < 2^32. */
  below(limit: number): number {
    const shift = Math.clz32(limit);
    for (;;) {
      const drawn = this.bits() >>> shift;
      if (drawn < limit) return drawn;
    }
  }

  /**
   * `sample(population, count)`: items without replacement, in the order that they are drawn.
   *
   * @throws {BadDataError} where there are fewer
   */
  sample<Item>(population: readonly Item[], count: number): Item[] {
    const total = population.length;
    if (count > total) throw new BadDataError(`${count} examples are wanted of ${total} rows; ask for fewer`);
    const item = (index: number): Item => population[index] as Item;
    // Python draws from a shrinking copy while a set of the drawn ones would be larger.
    let setSize = 21;
    if (count > 5) {
      let power = 1;
      while (power < count * 3) power *= 4;
      setSize += power;
    }
    if (total <= setSize) {
      const pool = [...population];
      return Array.from({ length: count }, (_, index) => {
        const drawn = this.below(total - index);
        const result = pool[drawn] as Item;
        pool[drawn] = pool[total - index - 1] as Item;
        return result;
      });
    }
    const taken = new Set<number>();
    return Array.from({ length: count }, () => {
      let drawn = this.below(total);
      while (taken.has(drawn)) drawn = this.below(total);
      taken.add(drawn);
      return item(drawn);
    });
  }
}
