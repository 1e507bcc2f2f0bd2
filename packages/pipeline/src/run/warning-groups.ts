/** Most places that a line names. */
const mostNamed = 4;

/** What a warning says, without where and how many: of "h.0 mlp-up: 3 of 640 channels …" all but the place and the numbers. */
function splitWarning(message: string): { readonly place: string | undefined; readonly kind: string } {
  const [, place, what = message] = /^([^:]+): (.+)$/s.exec(message) ?? [];
  return { place, kind: what.replaceAll(/\d+/g, "#") };
}

/**
 * Warnings that the nodes of a run have in common: the first of a kind is shown at once, and of all others, at the end, how many
 * there were and where the first of them.
 */
export class WarningGroups {
  readonly #warn: (line: string) => void;
  /** Of each kind the places of those that were not shown. */
  readonly #groups = new Map<string, { readonly first: string; readonly others: string[] }>();

  constructor(warn: (line: string) => void) {
    this.#warn = warn;
  }

  /** @param node that warns */
  add(node: string, message: string): void {
    const { place, kind } = splitWarning(message);
    const known = this.#groups.get(kind);
    if (known !== undefined) {
      known.others.push(place ?? node);
      return;
    }
    this.#groups.set(kind, { first: place ?? node, others: [] });
    this.#warn(`${node}: ${message}`);
  }

  /** Says what was not shown. */
  finish(): void {
    for (const { first, others } of this.#groups.values()) {
      if (others.length === 0) continue;
      const named = others.slice(0, mostNamed).join(", ");
      const rest = others.length - mostNamed;
      this.#warn(`the warning of ${first} holds for ${others.length} more: ${named}${rest > 0 ? ` and ${rest} others` : ""}`);
    }
    this.#groups.clear();
  }
}
