/** What a store says of an artifact without reading it. */
export interface KeptArtifact {
  /** 64 digits 0-9a-f. */
  readonly address: string;
  /** Size of its file. */
  readonly bytes: number;
  /** When it was put, by the store's clock. */
  readonly modified: Date;
}

/** What a run still needs, so that it is not pruned. */
export interface RunNeeds {
  /** Names the run: up to 100 letters, digits, ".", "_" and "-", the first a letter or a digit. */
  readonly run: string;
  readonly addresses: readonly string[];
  /** Says to people which run it is: "demo.yaml on build-3". */
  readonly note?: string;
}

/** The needs of a run as a store holds them. */
export interface KeptNeeds extends RunNeeds {
  /** When they were written, by the store's clock. */
  readonly written: Date;
}

/** What every call takes. */
export interface StoreCall {
  /** Ends the call with an InterruptedError. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Keeps whole files of artifacts by content address, for processes on any number of machines.
 *
 * A key is the hash of what it names, so writers need no lock: two that put the same artifact put the same content, and who
 * reads checks the content by its hash. At any moment an address names a whole file or none.
 *
 * All calls throw besides what they state:
 * - {UsageError} on what is no address, or a bucket or folder that is not there
 * - {DeniedError} where the store refuses the user
 * - {TryAgainError} where the store is busy, stalls or cannot be reached, after several attempts
 * - {InputOutputError} where it is full or fails
 * - {InterruptedError} when the signal fires
 */
export interface SharedStore {
  /** As the user gave it: a folder, or "s3://BUCKET/PREFIX". */
  readonly place: string;
  /** Where an artifact lies, for messages. */
  where(address: string): string;
  /** The time by the store's clock, which `modified` and `written` come from. */
  now(call?: StoreCall): Promise<Date>;
  has(address: string, call?: StoreCall): Promise<boolean>;
  /**
   * Keeps a file. Where a file of the same size is kept already, nothing is changed; one of another size is replaced, since it may
   * be a torn one.
   *
   * @param path a file that holds the artifact
   * @returns bytes that were put: 0 where it was kept already
   * @throws {BadDataError} where the file states another address
   */
  put(address: string, path: string, call?: StoreCall): Promise<number>;
  /**
   * Brings an artifact to a path, replacing what is there: whole, synced to the disk and checked by its hash, or not at all.
   *
   * @returns its bytes
   * @throws {UsageError} where the store does not have it; its facts have `missing: true`
   * @throws {BadDataError} where it is damaged in the store, or by the disk of the path; `verifyArtifact` tells which. Who can make
   *   one that is damaged in the store again removes it, makes it and puts it
   */
  get(address: string, path: string, call?: StoreCall): Promise<number>;
  /**
   * The bytes of an artifact, not checked.
   *
   * @param limit bytes from the start, at most as many as there are; all without it
   * @throws as get, but for damage
   */
  read(address: string, options?: StoreCall & { readonly limit?: number }): AsyncIterable<Uint8Array>;
  /** All artifacts, in no order that can be relied on. What is put or removed meanwhile may be among them or not. */
  list(call?: StoreCall): AsyncIterable<KeptArtifact>;
  /** Removes an artifact; a missing one is no error. */
  remove(address: string, call?: StoreCall): Promise<void>;
  /** Records what a run needs, in the place of what it needed before. To be called before the run relies on what is there. */
  writeNeeds(needs: RunNeeds, call?: StoreCall): Promise<void>;
  /**
   * What runs need.
   *
   * @param except a run whose record is not read: the one that asks knows its own, and writes it again where it is damaged
   * @throws {BadDataError} on a record that cannot be read: what it protects is not known
   */
  readNeeds(call?: StoreCall & { readonly except?: string }): Promise<readonly KeptNeeds[]>;
  /** Forgets a run; a missing record is no error. */
  removeNeeds(run: string, call?: StoreCall): Promise<void>;
  /** Whether artifacts may be pruned here. @throws {UsageError} in a folder that is no shared store, as the one that a run works in */
  requirePrunable(call?: StoreCall): Promise<void>;
  /**
   * Removes what puts that never ended have left.
   *
   * @param before only what began before this time
   * @param dryRun only counts
   * @returns how many there were
   */
  removeUnfinished(before: Date, options?: StoreCall & { readonly dryRun?: boolean }): Promise<number>;
  close(): Promise<void>;
}

/** A file of a store: an artifact, or a document about a run. */
export interface KeptFile {
  /** "ADDRESS.arrow" or "runs/RUN.json". */
  readonly name: string;
  readonly bytes: number;
  readonly modified: Date;
}

/** What a put is made with. */
export interface PutOptions extends StoreCall {
  readonly bytes: number;
  /** Replace what is there; otherwise another's file of the same name may stay. */
  readonly replace: boolean;
}

/**
 * A place that keeps files by name: what differs between a folder and a bucket. Names have been checked, and content is checked
 * by who asks. Errors are those of SharedStore.
 */
export interface Keeper {
  readonly place: string;
  where(name: string): string;
  now(call: StoreCall): Promise<Date>;
  find(name: string, call: StoreCall): Promise<KeptFile | undefined>;
  /** Whole or not at all. */
  put(name: string, path: string, options: PutOptions): Promise<void>;
  /** Whole or not at all, replacing what is there. */
  write(name: string, content: Uint8Array, call: StoreCall): Promise<void>;
  /** The bytes of a file; undefined where it is not there. */
  read(
    name: string,
    options: StoreCall & { readonly limit?: number | undefined },
  ): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** A new link to a file under a temporary name beside a path; undefined where a copy is needed. */
  link?(name: string, path: string): Promise<string | undefined>;
  /**
   * Files in a folder of the store, not in those below.
   *
   * @param isOurs whether a name is one of the store's own; nothing is asked about other files, which may be anyone's
   */
  list(folder: "" | "runs/", isOurs: (name: string) => boolean, call: StoreCall): AsyncIterable<KeptFile>;
  remove(name: string, call: StoreCall): Promise<void>;
  requirePrunable(call: StoreCall): Promise<void>;
  removeUnfinished(before: Date, options: StoreCall & { readonly dryRun: boolean }): Promise<number>;
  close(): Promise<void>;
}
