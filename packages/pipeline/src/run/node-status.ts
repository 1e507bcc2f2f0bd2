/** Where a node of a run is. */
export interface NodeStatus {
  readonly id: string;
  readonly stage: string;
  readonly state: "waiting" | "running" | "done";
  /** The worker that runs it or ran it; absent where an earlier run had done it. */
  readonly worker?: string;
  /** Seconds that it took. */
  readonly seconds?: number;
  /** When it began, in milliseconds since 1970. */
  readonly began?: number;
  /** How much of it is done, 0 to 1, where it runs and says so. */
  readonly share?: number;
}
