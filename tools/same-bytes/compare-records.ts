type Leaf = null | boolean | number | string;

/** What a case made, as nested objects of JSON. A key that begins with "#" holds bits: no change of them is ever intended. */
export type Recorded = Leaf | readonly Recorded[] | { readonly [key: string]: Recorded };

/** A change that is meant. */
export interface IntendedChange {
  /** Path of what changes, `*` standing for any characters: "recipe-gptq*mbs.json/solver". */
  readonly path: string;
  /** What was there, and what is there now; of two texts, parts of them. Both absent: anything, also what is gone or new. */
  readonly from?: Leaf;
  readonly to?: Leaf;
  readonly why: string;
}

/** A word that is called otherwise now: as a key, as a word of one, and as a whole value. */
export interface RenamedWord {
  readonly from: string;
  readonly to: string;
  readonly why: string;
}

export interface Intended {
  readonly renames: readonly RenamedWord[];
  readonly changes: readonly IntendedChange[];
}

/** One thing that differs. */
export interface Difference {
  readonly path: string;
  /** Whether these are bits, which no list of intended changes excuses. */
  readonly bits: boolean;
  /** Undefined where it is on the other side alone. */
  readonly before?: Leaf | undefined;
  readonly after?: Leaf | undefined;
}

const isBits = (path: string): boolean => path.includes("/#");

function* leaves(value: Recorded, path: string): Generator<[path: string, leaf: Leaf]> {
  if (value === null || typeof value !== "object") return yield [path, value];
  const entries = Object.entries<Recorded>(value);
  // what is empty has no leaves, and is a value by itself
  if (entries.length === 0) return yield [path, Array.isArray(value) ? "[]" : "{}"];
  for (const [key, item] of entries) yield* leaves(item, `${path}/${key}`);
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
const globOf = (pattern: string): RegExp => new RegExp(`^${pattern.split("*").map(escaped).join(".*")}$`, "s");

/** The containers whose order is part of what was made, too. */
const ordered = /^.*?\/(?:records|tensors)\//s;

/** Compares what cases made with what they made before, but for what is meant to change. */
export class Comparison {
  readonly #changes: readonly (IntendedChange & { readonly glob: RegExp })[];
  readonly #renames: ReadonlyMap<string, RenamedWord>;
  readonly #used = new Set<object>();

  constructor({ renames, changes }: Intended) {
    this.#changes = changes.map((change) => ({ ...change, glob: globOf(change.path) }));
    this.#renames = new Map(renames.map((rename) => [rename.from, rename]));
  }

  /** @param name of the case, with which every path begins */
  compare(name: string, before: Recorded, after: Recorded): Difference[] {
    const now = new Map(leaves(after, name));
    const places = new Map([...now.keys()].map((path, place) => [path, place]));
    const found = new Set<string>();
    /** Of each container the place of what came last, and what has come too late. */
    const [last, misplaced] = [new Map<string, number>(), new Map<string, string>()];
    const differences: Difference[] = [];
    for (const [path, leaf] of leaves(before, name)) {
      const place = now.has(path) ? path : this.#renamedPath(path);
      const value = now.get(place);
      if (value === undefined) {
        if (!this.#mayAppear(path)) differences.push({ path, bits: isBits(path), before: leaf });
        continue;
      }
      found.add(place);
      if (value !== leaf && (isBits(path) || !this.#isIntended(path, leaf, value))) {
        differences.push({ path, bits: isBits(path), before: leaf, after: value });
      }
      const [container] = ordered.exec(place) ?? [];
      if (container === undefined) continue;
      const here = places.get(place) ?? -1;
      if (here < (last.get(container) ?? -1)) misplaced.set(container, path);
      last.set(container, here);
    }
    for (const [path, leaf] of now) {
      if (!found.has(path) && !this.#mayAppear(path)) differences.push({ path, bits: isBits(path), after: leaf });
    }
    for (const [container, path] of misplaced) {
      differences.push({ path: `${container}#order`, bits: true, before: path, after: "comes earlier" });
    }
    return differences;
  }

  /** Entries of the list that nothing needed. */
  unused(): (IntendedChange | RenamedWord)[] {
    return [...this.#changes, ...this.#renames.values()].filter((entry) => !this.#used.has(entry));
  }

  #use(entry: object): void {
    this.#used.add(entry);
  }

  #renamedWord(word: string): string {
    const rename = this.#renames.get(word);
    if (rename === undefined) return word;
    this.#use(rename);
    return rename.to;
  }

  #renamedPath(path: string): string {
    return path
      .split(/([/ #])/)
      .map((word) => this.#renamedWord(word))
      .join("");
  }

  /** Whether something may be gone, or new. */
  #mayAppear(path: string): boolean {
    const change = this.#changes.find(({ glob, from, to }) => from === undefined && to === undefined && glob.test(path));
    if (change !== undefined) this.#use(change);
    return change !== undefined;
  }

  #isIntended(path: string, before: Leaf, after: Leaf): boolean {
    let value = before;
    if (typeof value === "string" && this.#renames.get(value)?.to === after) value = this.#renamedWord(value);
    for (const change of this.#changes) {
      if (value === after) break;
      const { glob, from, to } = change;
      if (!glob.test(path)) continue;
      if (from === undefined && to === undefined) {
        this.#use(change);
        return true;
      }
      if (typeof value === "string" && typeof from === "string" && typeof to === "string") {
        if (!value.includes(from)) continue;
        value = value.replaceAll(from, to);
      } else if (value === from && to !== undefined) {
        value = to;
      } else {
        continue;
      }
      this.#use(change);
    }
    return value === after;
  }
}
