/** Bytes that moved between a store and those who use it. */
export interface Traffic {
  /** Out of the store. */
  readonly fetched: number;
  /** Into the store. */
  readonly put: number;
}

/** What one worker moved for a run. */
export interface WorkerTraffic extends Traffic {
  readonly worker: string;
}

export const noTraffic: Traffic = { fetched: 0, put: 0 };

export const addTraffic = (one: Traffic, other: Traffic): Traffic => ({
  fetched: one.fetched + other.fetched,
  put: one.put + other.put,
});
