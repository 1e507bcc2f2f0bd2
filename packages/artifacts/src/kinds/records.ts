import type { BlockGrid, GroupGrid } from "@mbs/contracts";
/** Site of a block's own input, before its norm. No weight reads it; similarity does. */
export const inputSite = "input";

/**
 * Site of what a block's router does with tokens. No weight reads it; its only kind is "diagonal", with a value an expert: the share
 * of the language's tokens that go through it.
 */
export const expertsSite = "experts";

/** Whether weights read the input that statistics of a site are of. */
export const isReadSite = (site: string): boolean => site !== inputSite && site !== expertsSite;

/** The number of the expert whose weights read a site, of the tokens that go through it alone: 3 of "expert-3-up". */
export function expertOf(site: string): number | undefined {
  const number = /^expert-(\d+)-/.exec(site)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** The block that embedding and head are, behind the last one. */
export const embeddingsBlock = "embeddings";

/** What the head multiplies: states after the last block and the norm behind it. */
export const headSite = "head";

/** Site of the factor for some rows of the head. @param number 0 for those of the mix, which is the head's own */
export const headClassSite = (number: number): string => (number === 0 ? headSite : `${headSite}-class-${number}`);

/** What the embedding reads, where the head is a tensor of its own: tokens, each of which is a row. */
export const embeddingSite = "embedding";

/** Sites of statistics of embedding and head that no weight reads; their only kind is "diagonal". */
export const tokenSites = {
  /** A value a token: the share of a language's tokens that are this one, or how often its row of the embedding is read. */
  reads: "token-reads",
  /** A value a token: the mean of p·(1 - p), p its probability as the next one. An error δ of its logit costs ½·δ² times that. */
  spread: "token-spread",
  /** One value, where embedding and head are one tensor: p where an error Δ of a row that is read costs ½·p·|Δ|² nats a token. */
  price: "embedding-price",
  /** Of factors alone, a number a token: the class of its row, whose factor is that of `headClassSite`. */
  classes: "token-classes",
} as const;

/** Whether a site is one of `tokenSites`. */
export const isTokenSite = (site: string): boolean => Object.values<string>(tokenSites).includes(site);

/** Language of a Gram over the tokens of all languages, kept instead of theirs where those exceed the budget of capture. */
export const allLanguages = "*";

/** Block and site of a mean over all blocks and sites. */
export const allSites = "*";

/** A fixed number of tokens of one language, or a source and its target. */
export interface Segment {
  readonly segment: number;
  readonly language: string;
  /** How many documents it was joined from. */
  readonly documents: number;
  /** Of a source with a target: all that the encoder reads. */
  readonly tokens: Int32Array;
  /** All that the decoder reads, and the last token that it predicts; absent where `tokens` are a text by itself. */
  readonly target?: Int32Array;
}

/** What a site has seen of one language, a mean over tokens. */
export interface Statistic {
  readonly block: string;
  readonly site: string;
  readonly language: string;
  readonly kind: "gram" | "diagonal" | "cross-moment";
  readonly tokens: number;
  readonly width: number;
  /** gram: packed upper half, width·(width+1)/2 values; diagonal: width values; cross-moment: [width, width], row-major. */
  readonly values: Float32Array;
}

/** A statistic of what a site sees by itself, not beside the dense model. */
export interface OwnStatistic extends Statistic {
  readonly kind: "gram" | "diagonal";
}

/** One stream between two blocks, for one segment. */
export interface StateRecord {
  readonly segment: number;
  readonly language: string;
  /** "hidden" for a decoder. */
  readonly stream: string;
  readonly rows: number;
  readonly width: number;
  /** [rows, width], row-major. */
  readonly values: Float32Array;
}

/** What a model's head reads of one window of text: the states after the last block, before the norm behind it. */
export interface LastStates {
  readonly language: string;
  /** "" where windows run over all sources of a language. */
  readonly source: string;
  /** Number within the language. */
  readonly window: number;
  /** SHA-256 of all that the model reads and predicts of the window, 64 hex digits. */
  readonly tokens: string;
  /** Predicted tokens: a state each. */
  readonly rows: number;
  readonly width: number;
  /** [rows, width], row-major. */
  readonly values: Float32Array;
}

export interface FactorSummary {
  readonly tokens: number;
  /** Weight of each language, sum 1. */
  readonly weights: Readonly<Record<string, number>>;
  readonly orderName: string;
  readonly requestedDamping: number;
  /** Damping in use, a fraction of the mean living diagonal. */
  readonly damping: number;
  /** "float32" or "float64". */
  readonly precision: string;
  /** Attempts after the first; 0 when the first attempt worked. */
  readonly retries: number;
  readonly dead: readonly number[];
  /** False where no factor could be made or none was asked for; `upper` is then absent. */
  readonly factorised: boolean;
  /** What replaces the method at this site (`--on-singular`): "rtn" (magnitude for pruning). Only where not factorised. */
  readonly fallback?: string;
  /** Of the tokens, those that went through the expert that the site is of; absent where all do. */
  readonly reached?: number;
  /**
   * What is done where these are too few (`--on-starved`): "block", the statistics are of all that the block's router sees; "rtn", the
   * method is replaced as by a fallback, and nothing is factorised.
   */
  readonly starved?: string;
}

/** E[x²] of one language at a site. */
export interface LanguageDiagonalRecord {
  readonly language: string;
  /** Undamped, natural order, length width. */
  readonly values: Float32Array;
}

export interface FactorRecord {
  readonly block: string;
  readonly site: string;
  readonly width: number;
  readonly summary: FactorSummary;
  /** Position → column, length width. */
  readonly order: Int32Array;
  /** E[x²], undamped, natural order, length width. */
  readonly diagonal: Float32Array;
  /** E[x xᵀ], undamped, natural order, packed upper half. Absent where only diagonals were captured. */
  readonly gram?: Float32Array;
  /**
   * E[(x̃ - x) xᵀ], natural order, [width, width], as solvers get it (`SolverStatistics` of @mbs/contracts). Absent where dense
   * states were not captured.
   */
  readonly crossMoment?: Float32Array;
  /** U with H⁻¹ = UᵀU, ordered, packed upper half. */
  readonly upper?: Float32Array;
  /** Of each language that weighs more than 0, in the order of their codes; only where `factor` was asked for them. */
  readonly languageDiagonals?: readonly LanguageDiagonalRecord[];
}

/** What one block is to lose, or one of its tensors. */
export interface BlockAllocation {
  readonly block: string;
  /** Absent where all tensors of the block are meant. */
  readonly tensor?: string;
  /** Weights that can be compressed. */
  readonly parameters: number;
  /** What the method has measured of them. */
  readonly importance: number;
  /** Share of them to be set to zero. */
  readonly sparsity: number;
}

/** The grid of one tensor. */
export interface TensorAllocation {
  readonly block: string;
  readonly tensor: string;
  /** Its weights. */
  readonly parameters: number;
  /** The damage that the method expects of it on this grid, weighed as it weighs it: a part of what it has made small. */
  readonly importance: number;
  /** What it is rounded to. */
  readonly grid: GroupGrid | BlockGrid;
}

/** dtype of stored tensor data; u1 is a bit mask, rows padded to whole bytes, least significant bit first. */
export type TensorDtype = "f32" | "f16" | "bf16" | "u8" | "u1" | "i32";

export interface TensorData {
  readonly dtype: TensorDtype;
  readonly rows: number;
  readonly columns: number;
  /** Little-endian bytes, row-major. */
  readonly data: Uint8Array;
}

export interface LayerSummary {
  readonly solver: string;
  /** tr(ΔW H ΔWᵀ), a token. */
  readonly error: number;
  /** error / tr(W H Wᵀ), the relative output error under the H of the mix. */
  readonly damage: number;
  /** What stood for H: its diagonal, or the identity where no statistics were taken; absent for the Gram. */
  readonly moment?: "diagonal" | "identity";
  readonly sparsity: number;
  readonly bits?: number;
  readonly groupSize?: number;
  readonly symmetric?: boolean;
  /** The quantisation type of GGUF that it is rounded to, "Q4_K"; bits, groupSize and symmetric are then absent. */
  readonly grid?: string;
  /** What was done instead, where the method could not be used. */
  readonly fallback?: string;
  /** What the statistics were of in place of the site's own tokens: "block", all that its block's router sees. */
  readonly standIn?: string;
  /** Of a part of the rows alone: the tensor's row that it begins with. */
  readonly firstRow?: number;
  /** Of a part too: rows of the whole tensor. */
  readonly tensorRows?: number;
  /** Of a part too: tr(W H Wᵀ) of its rows, a token. */
  readonly output?: number;
}

/** The edit of one tensor. What is written is in `values` or in `blocks`, never in both. */
export interface LayerRecord {
  readonly block: string;
  readonly site: string;
  readonly tensor: string;
  readonly summary: LayerSummary;
  readonly values?: TensorData;
  readonly mask?: TensorData;
  readonly codes?: TensorData;
  readonly scales?: TensorData;
  readonly zeros?: TensorData;
  readonly groups?: TensorData;
  /** u8, [rows, bytes a row]: the rows in the bytes of the summary's `grid`. */
  readonly blocks?: TensorData;
  /** i32, 1 row: place → column, where the columns of `blocks` are in another order than those of the tensor. */
  readonly blockColumns?: TensorData;
  /** s, 1 row: the values are meant for inputs divided by s, which further layers make of the norm before the site. */
  readonly inputScale?: TensorData;
}

/** How far a model is from the first one of its scores, on the predicted tokens of one window. */
export interface ScoreDistance {
  /** KL(first ‖ model) of the distribution of each predicted token, nats. */
  readonly kl: Float32Array;
  /** Tokens of which both models take the same one for the most likely. */
  readonly agreed: number;
}

/** The loss of one model on one window of text. */
export interface Score {
  readonly model: string;
  readonly address: string;
  readonly language: string;
  readonly source: string;
  readonly window: number;
  /** Sum over `tokens`, nats. */
  readonly nll: number;
  readonly tokens: number;
  /** UTF-8 bytes of the predicted tokens. */
  readonly bytes: number;
  /** Absent for the first model, and where it was not measured. */
  readonly distance?: ScoreDistance;
}

/** How a model scored one choice of a document of a task, or answered it. */
export interface TaskScore {
  readonly model: string;
  readonly address: string;
  /** BCP 47; "" where the task names none. */
  readonly language: string;
  readonly task: string;
  /** Number in the task's split. */
  readonly document: number;
  readonly score: ChoiceScore | AnswerScore;
}

/** One choice of a document. Its row in the artifact has the document's number as its window. */
export interface ChoiceScore {
  readonly kind: "choice";
  /** 0, 1, … */
  readonly choice: number;
  /** − log-likelihood of the choice given its context, nats. */
  readonly nll: number;
  /** Tokens of the choice. */
  readonly tokens: number;
  /** UTF-8 bytes of the choice as the task names it. */
  readonly bytes: number;
  /** The same in Unicode code points. */
  readonly characters: number;
  readonly right: boolean;
  /** − log-likelihood of the choice without its context, nats; absent where it was not measured. */
  readonly unconditional?: number;
  /** Tokens of the context that were cut from its beginning, since the model does not read so many. */
  readonly cut: number;
}

/** What the model wrote. */
export interface AnswerScore {
  readonly kind: "answer";
  readonly answer: string;
  /** Whether the task takes it for right. */
  readonly right: boolean;
  /** Tokens of the prompt that were cut from its beginning. */
  readonly cut: number;
}

export interface SimilarityRecord {
  readonly block: string;
  readonly site: string;
  readonly measure: string;
  readonly first: string;
  readonly second: string;
  readonly value: number;
}

/** What the edit of one tensor does to the output of one language. */
export interface DamageRecord {
  readonly block: string;
  readonly site: string;
  readonly tensor: string;
  readonly language: string;
  /** What of the language's inputs was known: `gram` is all of E[x xᵀ], `diagonal` takes channels as uncorrelated. */
  readonly moment: "gram" | "diagonal";
  /** tr(ΔW H ΔWᵀ), a token. */
  readonly error: number;
  /** tr(W H Wᵀ), a token. */
  readonly output: number;
  /** error / output, the relative output error; 0 where there is no output. */
  readonly damage: number;
}

/** What a language is predicted to lose with one calibration mix. */
export interface MixRecord {
  /** Name of the mix: "equal", "worst". */
  readonly mix: string;
  readonly language: string;
  /** Share of the language in this mix, rounded: they sum to about 1. */
  readonly weight: number;
  /** Predicted rise of the loss, in nats a token. */
  readonly loss: number;
  /** Lower end of its 95% interval over windows of text. */
  readonly low: number;
  readonly high: number;
}

/** A piece of a file. Pieces of one file follow each other in order of offset. */
export interface FilePiece {
  readonly path: string;
  readonly offset: number;
  readonly data: Uint8Array;
}
