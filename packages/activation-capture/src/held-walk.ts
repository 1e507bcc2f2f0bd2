import { ScratchFile } from "@mbs/artifacts";
import type { ScratchSlot } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import type { ObjectPool, Poolable } from "@mbs/contracts";
import { freeCut } from "@mbs/models";
import type { BlockCut } from "@mbs/models";
import { bringTensor, isOnDevice, tensorOfBytes, unlessFull } from "@mbs/onnx";
import type { PlacedTensor, Tensor } from "@mbs/onnx";
import type { SegmentBatch } from "./segment-batches.ts";
import type { StatesOwner } from "./scratch-states.ts";
import type { BlockLayers } from "./block-layers.ts";

/** A tensor in a file. */
interface SpilledTensor extends Pick<Tensor, "type" | "dims"> {
  readonly slot: ScratchSlot;
}

/** A cut whose values are in memory, or in a file. */
interface KeptCut {
  readonly cut: BlockCut;
  /** In memory. */
  readonly bytes: number;
  /** On a graphics processor. */
  readonly deviceBytes: number;
  readonly spilled: ReadonlyMap<string, SpilledTensor>;
}

const bytesOf = (tensor: PlacedTensor): number => (isOnDevice(tensor) ? 4 * tensor.size : tensor.data.byteLength);

/** In memory, or on a graphics processor. */
const sumOf = (values: Iterable<PlacedTensor>, onDevice: boolean): number =>
  [...values].reduce((sum, tensor) => sum + (isOnDevice(tensor) === onDevice ? bytesOf(tensor) : 0), 0);

/** Bytes of a graphics processor that one walk may take. Beyond it values come to memory. */
const deviceBytes = 256 * 1024 ** 2;

/** The values of a cut in memory; on a graphics processor they are freed. */
async function bringAll(cut: BlockCut): Promise<Map<string, Tensor>> {
  // a value may have two names
  const brought = new Map<PlacedTensor, Tensor>();
  try {
    for (const tensor of cut.live.values()) if (!brought.has(tensor)) brought.set(tensor, await bringTensor(tensor));
  } finally {
    // those behind one that could not be brought
    freeCut(cut);
  }
  return new Map(
    [...cut.live].flatMap(([name, tensor]) => {
      const own = brought.get(tensor);
      return own === undefined ? [] : [[name, own] as const];
    }),
  );
}

/** Bytes that a walk may take. */
export interface WalkLimits {
  readonly memory: number;
  /** Of the temporary folder, beyond what is in memory. */
  readonly disk: number;
}

/**
 * A block that has been walked up to one of its sites over all segments, and waits for the stage that goes on from there.
 *
 * Its values are in memory up to a limit, and beyond it in a temporary file; what has no space there either is not held, and
 * the stage that goes on starts over for these segments.
 */
export class HeldWalk implements Poolable {
  readonly batches: readonly SegmentBatch[];
  readonly #limits: WalkLimits;
  /** By the place of a batch's first segment. */
  readonly #kept = new Map<number, KeptCut>();
  /** Addresses of the layers that were given so far, and the tensors that they changed. */
  readonly #layers = new Set<string>();
  readonly #given = new Set<string>();
  #bytes = 0;
  #deviceBytes = 0;
  /** Values are read from one file and written to the other. */
  #from: ScratchFile | undefined;
  #to: ScratchFile | undefined;
  #spilledBytes = 0;

  constructor(batches: readonly SegmentBatch[], limits: WalkLimits) {
    this.batches = batches;
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether all batches are held. */
  get isWhole(): boolean {
    return this.#kept.size === this.batches.length;
  }

  /**
   * Whether the walk can go on with these layers to some sites: it has not passed them, all its layers are among these, and it
   * has used none of the tensors that the others change.
   *
   * @param sites whose inputs are wanted
   */
  canGoOn({ byAddress, weights }: BlockLayers, sites: readonly string[]): boolean {
    const added = [...weights.keys()].filter((tensor) => !this.#given.has(tensor));
    const cuts = [...this.#kept.values()].map(({ cut }) => cut);
    return (
      [...this.#layers].every((address) => byAddress.has(address)) &&
      cuts.every(({ passed, used }) => !sites.some((site) => passed.has(site)) && !added.some((tensor) => used.has(tensor)))
    );
  }

  /** The cut of a batch, which is then no longer held; undefined where there is none. */
  take({ first }: SegmentBatch): BlockCut | undefined {
    const kept = this.#kept.get(first);
    if (kept === undefined) return undefined;
    this.#kept.delete(first);
    this.#bytes -= kept.bytes;
    this.#deviceBytes -= kept.deviceBytes;
    const read = [...kept.spilled].map(([name, { type, dims, slot }]) => {
      if (this.#from === undefined) throw new InternalError("the values of a block were not kept for its next part");
      return [name, tensorOfBytes(type, dims, this.#from.read(slot).buffer)] as const;
    });
    return read.length === 0 ? kept.cut : { ...kept.cut, live: new Map(read) };
  }

  /** Holds a batch at its cut, if there is space: where its values are, in memory, or in a file. */
  async put({ first }: SegmentBatch, given: BlockCut): Promise<void> {
    const onDevice = sumOf(given.live.values(), true);
    const staysThere = this.#deviceBytes + onDevice <= deviceBytes;
    const own = sumOf(given.live.values(), false);
    if (staysThere && this.#bytes + own <= this.#limits.memory) {
      this.#keep(first, { cut: given, bytes: own, deviceBytes: onDevice, spilled: new Map() });
      return;
    }
    const bytes = own + onDevice;
    const staysInMemory = this.#bytes + bytes <= this.#limits.memory;
    const fits = staysInMemory || this.#spilledBytes + bytes <= this.#limits.disk;
    // copies that a full graphics processor cannot give are not kept either
    const live = fits ? await unlessFull(bringAll(given)) : undefined;
    if (live === undefined) {
      freeCut(given);
      return;
    }
    const cut = { ...given, live };
    if (staysInMemory) {
      this.#keep(first, { cut, bytes, deviceBytes: 0, spilled: new Map() });
      return;
    }
    this.#spilledBytes += bytes;
    const file = (this.#to ??= new ScratchFile());
    const spilled = [...live].map(([name, { type, dims, data }]) => [name, { type, dims, slot: file.append(data) }] as const);
    this.#keep(first, { cut: { ...cut, live: new Map() }, bytes: 0, deviceBytes: 0, spilled: new Map(spilled) });
  }

  /** Ends a stage's part of the walk. @param given the layers that it used */
  turn({ byAddress, weights }: BlockLayers): void {
    for (const address of byAddress.keys()) this.#layers.add(address);
    for (const tensor of weights.keys()) this.#given.add(tensor);
    this.#from?.close();
    this.#from = this.#to;
    this.#to = undefined;
    this.#spilledBytes = 0;
  }

  async close(): Promise<void> {
    for (const { cut } of this.#kept.values()) freeCut(cut);
    this.#kept.clear();
    this.#from?.close();
    this.#to?.close();
    this.#from = undefined;
    this.#to = undefined;
  }

  #keep(first: number, kept: KeptCut): void {
    this.#kept.set(first, kept);
    this.#bytes += kept.bytes;
    this.#deviceBytes += kept.deviceBytes;
  }
}

/** What the values of a walk depend on, besides layers. */
export interface WalkOrigin {
  /** Address of the model, and whether its broken weights are read as 0. */
  readonly model: string;
  readonly allowNonfinite: boolean;
  /** Address of the states before the block; unknown where they come through a pipe: then no other stage can name them. */
  readonly states: string | undefined;
  /** The dense model's walk may begin with the same states as the other one. */
  readonly owner: StatesOwner;
  readonly threads: number;
  readonly device?: Device | undefined;
}

const keyOf = ({ model, allowNonfinite, states, owner, threads, device = "cpu" }: WalkOrigin): string =>
  `${owner} walk of ${model} from ${states}, ${threads} threads, ${device}${allowNonfinite ? ", non-finite weights as 0" : ""}`;

/** A walk as a stage looks for it. */
export interface WalkRequest {
  readonly origin: WalkOrigin;
  readonly layers: BlockLayers;
}

/** A held walk that can go on to some sites, if there is one. One that cannot is stale, and closed. */
export async function takeWalk(
  pool: ObjectPool,
  { origin, layers }: WalkRequest,
  sites: readonly string[],
): Promise<HeldWalk | undefined> {
  if (origin.states === undefined) return undefined;
  const found = pool.take(keyOf(origin));
  if (found instanceof HeldWalk && found.canGoOn(layers, sites)) return found;
  await found?.close();
  return undefined;
}

/** Holds a walk for the next stage. */
export async function keepWalk(pool: ObjectPool, { origin, layers }: WalkRequest, walk: HeldWalk): Promise<void> {
  walk.turn(layers);
  await pool.put(keyOf(origin), walk);
}
