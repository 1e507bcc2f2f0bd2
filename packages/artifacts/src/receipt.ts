/** What is known of an artifact once all of it has passed. */
export interface Receipt {
  /** Content address. */
  readonly address: string;
  readonly rows: number;
  /** Batches with rows. */
  readonly batches: number;
}
