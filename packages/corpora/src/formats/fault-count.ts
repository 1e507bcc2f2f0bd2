import { BadDataError } from "@mbs/contracts";

/** What can be wrong with one document. */
export type Fault = "bad UTF-8" | "bad JSON" | "bad row" | "no text" | "no conversation" | "no target" | "too long";

/** Above this share of a language's documents, its files are refused. */
export const faultTolerance = 0.01;

/** From this many faults on the tolerance is checked at once, so that a wrong field does not cost a pass over a huge file. */
const earlyFaults = 1000;

/** Counts the documents of one language that had to be left out while its files are read. */
export class FaultCount {
  readonly #language: string;
  readonly #faults = new Map<Fault, number>();
  #first = "";
  #total = 0;
  #documents = 0;
  #marks = 0;

  constructor(language: string) {
    this.#language = language;
  }

  /** Counts a good document. */
  document(): void {
    this.#documents += 1;
  }

  /** Counts a file that starts with a byte-order mark: harmless, the mark is dropped. */
  mark(): void {
    this.#marks += 1;
  }

  /**
   * Counts `count` documents left out.
   *
   * @throws {BadDataError} once there are many of them and they are above the tolerance
   */
  add(fault: Fault, where: string, count = 1): void {
    if (count === 0) return;
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + count);
    if (this.#total === 0) this.#first = where;
    this.#total += count;
    if (this.#total >= earlyFaults) this.#check();
  }

  /**
   * To be called when all files were read, or reading was stopped.
   *
   * @returns lines for the user, none where nothing was wrong
   * @throws {BadDataError} where the faults are above the tolerance
   */
  finish(): readonly string[] {
    this.#check();
    const marks = this.#marks > 0 ? [`${this.#language}: ${this.#marks} of its files start with a byte-order mark; dropped`] : [];
    return this.#total > 0 ? [...marks, `${this.#summary()}; left out`] : marks;
  }

  #summary(): string {
    const kinds = [...this.#faults].map(([fault, count]) => `${count} ${fault}`).join(", ");
    return `${this.#language}: ${this.#total} of ${this.#total + this.#documents} documents are broken (${kinds}; first: ${this.#first})`;
  }

  #check(): void {
    if (this.#total <= faultTolerance * (this.#total + this.#documents)) return;
    throw new BadDataError(`${this.#summary()}, above the ${faultTolerance * 100}% that may be left out; mend the files`, {
      language: this.#language,
      broken: this.#total,
      documents: this.#total + this.#documents,
    });
  }
}
