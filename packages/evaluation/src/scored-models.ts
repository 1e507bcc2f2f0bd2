import { BadDataError, isObject } from "@mbs/contracts";
import { meanMix, modelSize, readModelRecord, type Activations, type Model } from "@mbs/models";

/** A solver with its options. */
export interface ScoredMethod {
  readonly solver: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The part of a vocabulary that a model's softmax is over. */
export interface ScoredVocabulary {
  readonly rows: number;
  /** Rows of the model before anything was left out. */
  readonly of: number;
  /** Whether the model has all rows, and was restricted to those of a trimmed one that it is compared with. */
  readonly isRestricted: boolean;
}

/** What is known of a model beside its scores. */
export interface ScoredModel {
  /** Its weight files on disk. */
  readonly bytes: number;
  /** Numbers in its tensors; absent in scores of older versions. */
  readonly parameters?: number;
  /** What its packed weights were multiplied with, where that is not float32. */
  readonly activations?: "int8";
  /** Whether the assistant's tokens alone were scored. */
  readonly assistantOnly?: true;
  /** Which part of a vocabulary its softmax is over, where that is not all. */
  readonly vocabulary?: ScoredVocabulary;
  /** Tensors whose NaN and Inf were read as 0, where there are any. */
  readonly nonfinite?: readonly string[];
  /** How it was compressed; absent where its folder does not say so. */
  readonly made?: {
    /** Content address of the model that was compressed. */
    readonly source: string;
    /** How its weights are stored. */
    readonly format: string;
    /** One, where all its layers were made alike. */
    readonly methods: readonly ScoredMethod[];
    /** The calibration mix, mean over layers: language → share. */
    readonly mix: Readonly<Record<string, number>>;
    /** Content addresses of its artifacts of layers, sorted; absent in scores of older versions. */
    readonly layers?: readonly string[];
  };
}

/** A model with the part of its vocabulary that takes part; undefined: all of it. */
export interface ComparableModel {
  readonly model: Model;
  readonly vocabulary: ScoredVocabulary | undefined;
}

/** What the scores keep of a model, from its folder. @param warn takes what is wrong with the mbs.json beside a GGUF file */
export async function describeModel(
  { model, vocabulary }: ComparableModel,
  activations: Activations,
  warn: (message: string) => void,
): Promise<ScoredModel> {
  const nonfinite = [...model.checkpoint.nonfinite];
  const own = {
    ...(await modelSize(model)),
    ...(activations === "int8" && { activations }),
    ...(vocabulary && { vocabulary }),
    ...(nonfinite.length > 0 && { nonfinite }),
  };
  const record = await readModelRecord(model.path, warn);
  if (record === undefined) return own;
  const { model: source, format, layers } = record;
  const addresses = layers.map(({ address }) => address).sort();
  const methods = new Map(layers.map(({ solver, options }) => [JSON.stringify([solver, options]), { solver, options }]));
  return { ...own, made: { source, format, methods: [...methods.values()], mix: meanMix(layers), layers: addresses } };
}

const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every((entry) => typeof entry === "string");

const isMethod = (value: unknown): boolean =>
  isObject(value) && typeof value["solver"] === "string" && isObject(value["options"]);

const isWeight = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;
/** Shares of languages; none where no layer was compressed. */
function isMix(value: unknown): boolean {
  if (!isObject(value)) return false;
  const shares = Object.values(value);
  const sum = shares.filter(isWeight).reduce((total, share) => total + share, 0);
  return shares.every(isWeight) && Number.isFinite(sum) && (sum > 0 || shares.length === 0);
}
const isSize = (value: unknown): boolean => isWeight(value) && Number.isSafeInteger(value) && value > 0;

function isVocabulary(value: unknown): boolean {
  if (!isObject(value)) return false;
  return isSize(value["rows"]) && isSize(value["of"]) && typeof value["isRestricted"] === "boolean";
}

function isScoredModel(value: unknown): value is ScoredModel {
  if (!isObject(value) || !isSize(value["bytes"])) return false;
  const { made, parameters, activations, assistantOnly, vocabulary, nonfinite } = value;
  if (assistantOnly !== undefined && assistantOnly !== true) return false;
  if (parameters !== undefined && !isSize(parameters)) return false;
  if (nonfinite !== undefined && !areTexts(nonfinite)) return false;
  if (vocabulary !== undefined && !isVocabulary(vocabulary)) return false;
  if (activations !== undefined && activations !== "int8") return false;
  if (made === undefined) return true;
  if (!isObject(made) || !isMix(made["mix"])) return false;
  const { source, format, methods, layers } = made;
  if (layers !== undefined && !areTexts(layers)) return false;
  return typeof source === "string" && typeof format === "string" && Array.isArray(methods) && methods.every(isMethod);
}

/**
 * The models described in the scores, by their name there.
 *
 * @param models of the scores' metadata
 * @throws {BadDataError} where they are malformed
 */
export function readScoredModels(models: Readonly<Record<string, unknown>> = {}): ReadonlyMap<string, ScoredModel> {
  return new Map(
    Object.entries(models).map(([name, model]) => {
      if (!isScoredModel(model)) {
        throw new BadDataError(`scores: the description of model ${name} is malformed; evaluate again`, { model: name });
      }
      return [name, model];
    }),
  );
}
