/** Weight and bias of a norm. */
export interface NormTensors {
  readonly weight: string;
  /** What the architecture adds to the stored weight: 1 for Gemma's norms. */
  readonly offset: number;
  readonly bias?: string;
}

/** A norm of the residual stream with the weights, [rows, hidden], that alone read what it makes. */
export interface StreamNorm extends NormTensors {
  readonly readers: readonly string[];
}

/**
 * All tensors that read or write the residual stream. With R orthogonal, states x become Rᵀx where tables and outputs are rotated
 * and readers rotate back.
 */
export interface ResidualStream {
  /** Whether its norms subtract the mean: they commute with R only where R keeps it, Rᵀ·1 = 1. */
  readonly centred: boolean;
  /** Tables whose rows are added to states, [rows, hidden]: embedding, positions. */
  readonly tables: readonly string[];
  /** The norm of embedded tokens, before the first block. */
  readonly embeddingNorm?: Required<Omit<NormTensors, "offset">> & { readonly epsilon: number };
  /** Those before attention and MLP of every block, and the last one, which the head alone reads. */
  readonly norms: readonly StreamNorm[];
  /** Weights [hidden, columns] and biases [hidden] whose outputs are added to states. */
  readonly writers: readonly string[];
}

/**
 * The values of a block's attention: rows of one weight, columns of another. Attention mixes values of tokens within a head, so
 * their basis may be any.
 */
export interface ValueHeads {
  readonly headSize: number;
  /** The weight that makes the values, and its bias. */
  readonly tensor: string;
  readonly bias?: string;
  /** Row of the weight where each head of values begins. */
  readonly firstRows: readonly number[];
  /** The weight that reads the context of all query heads, [hidden, heads · headSize]. */
  readonly output: string;
  /** Query heads that share one head of values. */
  readonly sharedBy: number;
}

/** Why an architecture does not allow a change of basis, as it follows "the model cannot be rotated: ". */
export interface NoBasis {
  readonly reason: string;
}

/** Where a model's weights can be rotated without changing what it computes. */
export interface Bases {
  readonly stream: ResidualStream | NoBasis;
  /** Of each block. */
  readonly values: readonly ValueHeads[] | NoBasis;
}

/** Whether an architecture forbids a change of basis. */
export const hasNoBasis = (part: object): part is NoBasis => Object.hasOwn(part, "reason");

/** The same with other names of tensors. */
export function renameBases({ stream, values }: Bases, nameOf: (tensor: string) => string): Bases {
  const norm = <Norm extends NormTensors>(tensors: Norm): Norm => ({
    ...tensors,
    weight: nameOf(tensors.weight),
    ...(tensors.bias !== undefined && { bias: nameOf(tensors.bias) }),
  });
  return {
    stream: hasNoBasis(stream)
      ? stream
      : {
          ...stream,
          tables: stream.tables.map(nameOf),
          ...(stream.embeddingNorm && {
            embeddingNorm: {
              ...stream.embeddingNorm,
              weight: nameOf(stream.embeddingNorm.weight),
              bias: nameOf(stream.embeddingNorm.bias),
            },
          }),
          norms: stream.norms.map((own) => ({ ...norm(own), readers: own.readers.map(nameOf) })),
          writers: stream.writers.map(nameOf),
        },
    values: hasNoBasis(values)
      ? values
      : values.map((heads) => ({
          ...heads,
          tensor: nameOf(heads.tensor),
          ...(heads.bias !== undefined && { bias: nameOf(heads.bias) }),
          output: nameOf(heads.output),
        })),
  };
}
