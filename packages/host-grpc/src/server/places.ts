import { TryAgainError } from "@mbs/contracts";

/** The places of calls that are open at one time, and those of them that one client may have. */
export class Places {
  readonly #what: string;
  readonly #limit: number;
  readonly #limitPerClient: number;
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** @param what for messages: "calls" */
  constructor(what: string, limit: number, limitPerClient: number) {
    this.#what = what;
    this.#limit = limit;
    this.#limitPerClient = limitPerClient;
  }

  /**
   * @returns gives the place back
   * @throws {TryAgainError} where there is none
   */
  take(client: string): () => void {
    if (this.#all >= this.#limit) {
      throw new TryAgainError(`${this.#limit} ${this.#what} are open, as many as this server takes; call again later`);
    }
    const mine = this.#taken.get(client) ?? 0;
    if (mine >= this.#limitPerClient) {
      throw new TryAgainError(
        `${mine} ${this.#what} of yours are open, as many as this server takes of one client; call again later`,
      );
    }
    this.#all += 1;
    this.#taken.set(client, mine + 1);
    return () => {
      this.#all -= 1;
      const left = (this.#taken.get(client) ?? 1) - 1;
      if (left > 0) this.#taken.set(client, left);
      else this.#taken.delete(client);
    };
  }
}
