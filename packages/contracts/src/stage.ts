import type { ArtifactStream } from "./batch.ts";
import type { Device } from "./device.ts";
import { InternalError, UsageError } from "./errors.ts";
import type { Grid, HeldGrids } from "./grid.ts";
import type { ObjectPool } from "./object-pool.ts";
import { parseOptions } from "./options.ts";
import type { OptionTable, OptionValues } from "./options.ts";
import type { PlannedLayers } from "./solver.ts";

/** The size that a model will have, beside that of what it is made of: weight files, about. */
export interface PlannedSize {
  readonly bytes: number;
  readonly sourceBytes: number;
  /** Where it is not smaller: a line that says so, why, and what to do. */
  readonly notSmaller?: string;
  /** Where matrices get other types than those asked for, because of their rows: a line that says so. */
  readonly fallbacks?: string | undefined;
}

/** One step of progress. `done` of `total` in `unit`; total is undefined where it cannot be known. */
export interface Progress {
  readonly activity: string;
  readonly done: number;
  readonly total?: number;
  readonly unit: string;
  /** Of a whole whose activities come one after the other, such as a run: it keeps one line and has one time left. */
  readonly whole?: { readonly name: string; readonly left?: TimeLeft | undefined };
}

/** How long something still takes, as far as that is known. */
export interface TimeLeft {
  readonly seconds: number;
  /** Whether there is more to do, of which nobody knows how long it takes. */
  readonly isLeast: boolean;
}

/** What a host gives to a running stage. */
export interface StageContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** A line that the user should see: counted faults, retries, fallbacks. */
  readonly warn: (message: string) => void;
  /** A line on what comes out, such as how many rows are kept. Absent where the host shows none. */
  readonly note?: ((message: string) => void) | undefined;
  /** Threads for native code, ≥ 1. The same number gives the same bytes. */
  readonly threads: number;
  /** What runs forward passes and sums statistics. Default "cpu". */
  readonly device?: Device | undefined;
  /** What stays open between stages, models among them; absent where each stage opens and closes its own. */
  readonly pool?: ObjectPool;
}

export interface StageInput {
  /** The artifact kinds of docs/artifacts.md that it accepts. */
  readonly kinds: readonly string[];
  readonly optional?: boolean;
  /** The flag among the stage's options with which it is not read. */
  readonly unless?: string;
  /** True where the stage takes any number of them. */
  readonly many?: boolean;
  readonly description: string;
}

export interface StageOutput {
  readonly kind: string;
  readonly description: string;
  /** True where only the next stages need it, and it grows with the segments or the square of a width: a run deletes it once it is read. */
  readonly intermediate?: boolean;
  /** True for an intermediate output from which a killed run goes on. Those that are read between two such ones may stay in memory. */
  readonly checkpoint?: boolean;
  /** True for files (kind `files`) that a host writes as a folder: a model. */
  readonly folder?: boolean;
  /**
   * Whether such a folder may have a file of this path, with "/" between its parts: a host refuses to replace a folder with
   * others before the stage runs. Absent where that is known only when all files are written.
   */
  readonly mayHold?: (path: string) => boolean;
}

/** What an allocation chooses, and what its method reads, for a recipe that has to make it. */
export interface AllocationNeeds {
  readonly chooses: "sparsity" | "bits";
  /** Of each site: a Gram a language with the factor of their mix, E[x²], or nothing. */
  readonly statistics: "gram" | "diagonal" | "none";
  /** Whether the model is run on segments. */
  readonly segments: boolean;
}

/** Options of a stage by camelCase name, unparsed: the stage checks them. */
export type StageOptions = Readonly<Record<string, unknown>>;

/** What an allocation computes beside statistics and factors, for an estimate. */
export interface AllocationWork {
  /** Rounds each tensor to each of these grids; none where it takes no time to speak of. */
  readonly solver: string;
  readonly options: StageOptions;
  readonly grids: readonly Grid[];
  /** Most rows of a tensor that are rounded. */
  readonly rows: number;
  /** Most passes of the model over the segments. */
  readonly passes: number;
  /** Positions whose predictions are compared with those of the model as it is. */
  readonly comparisons: number;
}

/** Inputs by name; a stream is read once. */
export type StageInputs = Readonly<Record<string, readonly ArtifactStream[]>>;
export type StageOutputs = Readonly<Record<string, ArtifactStream>>;

/** Whether a stage can be run without an input. */
export const isOptional = ({ optional = false, unless }: StageInput, options: StageOptions): boolean =>
  optional || (unless !== undefined && options[unless] === true);

/**
 * A pipeline stage, declared once and carried by any host.
 *
 * The first input is what the command line reads from standard input, the first output what it writes to standard
 * output. Everything else that a stage reads is named by an option of kind `resource`.
 */
export interface Stage {
  readonly name: string;
  /** The path or package that third-party code was loaded from; absent for a stage of the program. */
  readonly loadedFrom?: string;
  /** One sentence, for help and listings. */
  readonly summary: string;
  /** Command lines for `--help`. */
  readonly examples: readonly string[];
  readonly inputs: Readonly<Record<string, StageInput>>;
  readonly outputs: Readonly<Record<string, StageOutput>>;
  readonly options: OptionTable;
  /** Further options that depend on the ones given (a solver's own, for example). */
  readonly moreOptions?: (raw: Readonly<Record<string, unknown>>) => Promise<OptionTable>;
  /** Whether it runs a model, on the device of its context. */
  readonly runsModel?: true;
  /** The option that chooses the further ones, for help: "solver". */
  readonly moreOptionsBy?: string;
  /**
   * The grids that the stage can write, best first: the first is what layers should have of which a recipe does not say more.
   * Absent where it writes no layers.
   *
   * @param options raw, as for `moreOptions`
   */
  readonly holds?: (options: Readonly<Record<string, unknown>>) => Promise<readonly HeldGrids[]>;
  /**
   * What a stage that allocates chooses and reads with these options. Absent where it does not allocate.
   *
   * @param options raw, as for `moreOptions`
   * @throws {UsageError} on an unknown method
   */
  readonly allocationNeeds?: (options: Readonly<Record<string, unknown>>) => Promise<AllocationNeeds>;
  /** What such a stage computes with complete options; undefined where that is nothing to speak of. */
  readonly allocationWork?: (options: Readonly<Record<string, unknown>>) => Promise<AllocationWork | undefined>;
  /**
   * Refuses, before a run starts, what `run` would refuse later: options that do not go together, names
   * that are not there, layers that it could not take. It looks at headers and names alone.
   *
   * @param options complete, as for `run`
   * @param planned of the layers that the run is going to make
   * @param pool as in the context of `run`
   * @throws as `run` would; a {UsageError} names its `option`
   */
  readonly checkPlan?: (options: unknown, planned: PlannedLayers, pool?: ObjectPool) => Promise<void>;
  /**
   * The size of the model that the stage will write, before a run starts; undefined where that is not known. Options and layers
   * were checked by `checkPlan`.
   */
  readonly plannedSize?: (options: unknown, planned: PlannedLayers, pool?: ObjectPool) => Promise<PlannedSize | undefined>;
  /**
   * Runs the stage. Options come unparsed and are parsed here, with unknown keys refused.
   * Work may go on while the outputs are read; an error then ends the output's iteration.
   */
  run(inputs: StageInputs, options: unknown, context: StageContext): Promise<StageOutputs>;
}

/**
 * The output that a node of a run is known by, and that goes to standard output: the first one.
 *
 * @throws {InternalError} where a stage declares none
 */
export function firstOutput({ name, outputs }: Stage): StageOutput & { readonly name: string } {
  const [entry] = Object.entries(outputs);
  if (entry === undefined) throw new InternalError(`stage ${name} declares no output`, { stage: name });
  return { name: entry[0], ...entry[1] };
}

/** A stage whose options arrive parsed. */
interface StageDefinition<Table extends OptionTable, Inputs extends string, Outputs extends string> extends Omit<
  Stage,
  "inputs" | "outputs" | "options" | "run" | "moreOptions" | "moreOptionsBy"
> {
  readonly inputs: Readonly<Record<Inputs, StageInput>>;
  readonly outputs: Readonly<Record<Outputs, StageOutput>>;
  readonly options: Table;
  run(
    inputs: Readonly<Record<Inputs, readonly ArtifactStream[]>>,
    options: OptionValues<Table>,
    context: StageContext,
  ): Promise<Readonly<Record<Outputs, ArtifactStream>>> | Readonly<Record<Outputs, ArtifactStream>>;
}

/**
 * Makes a stage of a definition whose `run` gets its options parsed and an entry, if an empty one, for every input.
 *
 * @throws from `run`: {UsageError} on options that its table does not take, and where a required input is missing
 */
export function defineStage<const Table extends OptionTable, const Inputs extends string, const Outputs extends string>(
  definition: StageDefinition<Table, Inputs, Outputs>,
): Stage {
  const { name, inputs, options: table } = definition;
  return {
    ...definition,
    async run(given, raw, context) {
      const options = parseOptions(table, raw, name);
      const entries = Object.entries<StageInput>(inputs).map(([input, declared]) => {
        const streams = given[input] ?? [];
        if (streams.length === 0 && !isOptional(declared, options)) {
          throw new UsageError(`${name} needs the input ${input}: ${declared.description}`, { stage: name, input });
        }
        return [input, streams];
      });
      return definition.run(Object.fromEntries(entries), options, context);
    },
  };
}
