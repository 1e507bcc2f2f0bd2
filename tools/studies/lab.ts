import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ArtifactStore, RunManifest, manifestKey, unpackFiles } from "@mbs/artifacts";
import type { DecodedStream } from "@mbs/artifacts";
import { at, InternalError } from "@mbs/contracts";
import type { ArtifactStream, Stage, StageContext } from "@mbs/contracts";
import { codeAddress } from "./code-address.ts";
import { loadStages } from "../../packages/mbs/src/stages.ts";

type Options = Readonly<Record<string, unknown>>;
type Inputs = Readonly<Record<string, readonly string[]>>;

const ignore = (): void => undefined;

/** What a piece of work is known by: equal work is done once, also over restarts. */
export interface Work {
  /** A stage, or a name for several in a row. */
  readonly name: string;
  /** All that decides the result, with addresses in place of paths. */
  readonly settings: Options;
  readonly inputs: Inputs;
}

/**
 * Runs stages on artifacts in one folder. Finished work is recorded, so a study that was stopped goes on where it was, and
 * studies share captures and trials; what another version of the code has made is made again.
 */
export class Lab {
  readonly folder: string;
  readonly #stages: ReadonlyMap<string, Stage>;
  readonly #store: ArtifactStore;
  readonly #manifest: RunManifest;
  readonly #context: StageContext;
  readonly #code: string;

  private constructor(folder: string, stages: ReadonlyMap<string, Stage>, manifest: RunManifest, threads: number, code: string) {
    this.folder = folder;
    this.#code = code;
    this.#stages = stages;
    this.#store = new ArtifactStore(join(folder, "artifacts"));
    this.#manifest = manifest;
    this.#context = { signal: new AbortController().signal, progress: ignore, warn: ignore, threads };
  }

  static async open(folder: string, threads: number): Promise<Lab> {
    await mkdir(folder, { recursive: true });
    const manifest = await RunManifest.open(join(folder, "manifest.json"));
    return new Lab(folder, await loadStages(), manifest, threads, await codeAddress());
  }

  /** The outputs of a piece of work by name, as addresses; `make` is called where they are not there yet. */
  async once<Output extends string>(
    { name, settings, inputs }: Work,
    make: () => Promise<Record<Output, string>>,
  ): Promise<Record<Output, string>> {
    const key = manifestKey(name, { ...settings, threads: this.#context.threads, code: this.#code }, inputs);
    const known = this.#manifest.get(key);
    if (
      known !== undefined &&
      (await Promise.all(Object.values(known).map((address) => this.#store.has(address)))).every(Boolean)
    )
      return known as Record<Output, string>;
    const made = await make();
    await this.#manifest.set(key, made);
    return made;
  }

  /** Runs a stage and hands back its first output. */
  async stream(name: string, options: Options, inputs: Inputs): Promise<ArtifactStream> {
    const stage = this.#stages.get(name);
    if (stage === undefined) throw new InternalError(`no stage ${name}`);
    const opened: Record<string, ArtifactStream[]> = {};
    for (const [input, addresses] of Object.entries(inputs)) {
      opened[input] = await Promise.all(addresses.map((address) => this.open(address)));
    }
    return at(Object.values(await stage.run(opened, options, this.#context)), 0);
  }

  /** Runs a stage and stores its first output. @returns its address */
  async run(name: string, options: Options, inputs: Inputs = {}): Promise<string> {
    return (await this.#store.put(await this.stream(name, options, inputs))).address;
  }

  open(address: string): Promise<DecodedStream> {
    return this.#store.open(address);
  }

  remove(address: string): Promise<void> {
    this.#store.remove(address);
    return this.#store.flush();
  }

  /** Writes a model folder, lends it to `use`, and takes it away again. */
  async withModel<T>(files: ArtifactStream, use: (folder: string) => Promise<T>): Promise<T> {
    const folder = join(this.folder, "model");
    try {
      await unpackFiles(files, folder, { force: true });
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
