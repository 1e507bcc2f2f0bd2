/** Most places that a line names, and most characters of what is said of them. */
const [mostNamed, mostSaid] = [4, 60];

/** A warning of a place: "h.0 mlp-up: 3 of 640 channels …". */
interface PlacedWarning {
  readonly place: string;
  readonly what: string;
}

function placeOf(message: string): PlacedWarning | undefined {
  const [, place, what] = /^([^:]+): (.+)$/s.exec(message) ?? [];
  return place === undefined || what === undefined ? undefined : { place, what };
}

/**
 * Warnings that sites of a run have in common, but for numbers: the first of a kind is shown at once, and at the end how many
 * others there were, and where the first of them. What names no site is always shown.
 */
export class WarningGroups {
  readonly #warn: (line: string) => void;
  /** By what is said, without its numbers: the first one, and the places of those that were not shown. */
  readonly #groups = new Map<string, { readonly first: PlacedWarning; readonly others: string[] }>();

  constructor(warn: (line: string) => void) {
    this.#warn = warn;
  }

  /** @param node that warns */
  add(node: string, message: string): void {
    const placed = placeOf(message);
    if (placed === undefined || !this.#isCounted(placed)) this.#warn(`${node}: ${message}`);
  }

  /** Whether another place has been shown to say the same, with which this one is counted. */
  #isCounted(placed: PlacedWarning): boolean {
    const kind = placed.what.replaceAll(/\d+/g, "#");
    const known = this.#groups.get(kind);
    if (known === undefined) this.#groups.set(kind, { first: placed, others: [] });
    if (known === undefined || known.first.place === placed.place) return false;
    known.others.push(placed.place);
    return true;
  }

  /** Says what was not shown. */
  finish(): void {
    for (const { first, others } of this.#groups.values()) {
      if (others.length === 0) continue;
      const said = first.what.length > mostSaid ? `${first.what.slice(0, mostSaid)}…` : first.what;
      const named = others.slice(0, mostNamed).join(", ");
      const rest = others.length - mostNamed;
      this.#warn(
        `"${said}", as of ${first.place} and with numbers of their own, was said of ${others.length} more: ${named}${rest > 0 ? ` and ${rest} others` : ""}; mbs run --verbose shows each`,
      );
    }
    this.#groups.clear();
  }
}
