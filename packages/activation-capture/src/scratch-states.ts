import { ScratchFile } from "@mbs/artifacts";
import type { ScratchSlot } from "@mbs/artifacts";
import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import type { StreamStates } from "@mbs/models";
import type { StatePair } from "./dense-states.ts";
import type { SegmentHead } from "./state-source.ts";

/** Whose states: those that the stage was given, or the dense model's beside them. */
export type StatesOwner = "own" | "dense";

type Slots = ReadonlyMap<string, ScratchSlot>;

interface ScratchSegment {
  readonly head: SegmentHead;
  /** Stream → its states. */
  readonly own: Slots;
  readonly dense: Slots | undefined;
}

/** States that a stage reads in another order than they arrive in: they wait in a temporary file. */
export class ScratchStates {
  readonly #scratch = new ScratchFile();
  readonly #width: number;
  readonly #source: () => AsyncIterable<StatePair>;
  readonly #onRead: (segments: number) => void;
  #segments: Promise<readonly ScratchSegment[]> | undefined;

  /**
   * @param width of the states
   * @param source is read at first need, once
   * @param onRead is called with the number of segments read so far
   */
  constructor(width: number, source: () => AsyncIterable<StatePair>, onRead: (segments: number) => void) {
    this.#width = width;
    this.#source = source;
    this.#onRead = onRead;
  }

  /** All segments, in the order of the source. */
  async heads(): Promise<readonly SegmentHead[]> {
    return (await this.#load()).map(({ head }) => head);
  }

  /**
   * The states of some streams, of equally long segments under each other.
   *
   * @param first,count the segments, by their places in the source
   */
  async read(owner: StatesOwner, streams: readonly string[], first: number, count: number): Promise<StreamStates> {
    const segments = (await this.#load()).slice(first, first + count);
    const read = streams.map((stream) => {
      const slots = segments.map((segment) => slotOf(segment, owner, stream));
      const sizes = slots.map(({ length }) => length / Float32Array.BYTES_PER_ELEMENT);
      const values = new Float32Array(sizes.reduce((sum, size) => sum + size, 0));
      let start = 0;
      for (const [index, slot] of slots.entries()) {
        this.#scratch.readInto(slot, values.subarray(start));
        start += at(sizes, index);
      }
      return [stream, { rows: values.length / this.#width, columns: this.#width, values }] as const;
    });
    return new Map(read);
  }

  /** Replaces the states of one stream of the segments from `first` on. @param states of `count` segments, stacked */
  async overwrite(stream: string, first: number, count: number, { values }: Matrix): Promise<void> {
    const segments = (await this.#load()).slice(first, first + count);
    const size = values.length / count;
    for (const [index, segment] of segments.entries()) {
      this.#scratch.overwrite(slotOf(segment, "own", stream), values.subarray(index * size, (index + 1) * size));
    }
  }

  /** Whether the source has been needed. */
  get isRead(): boolean {
    return this.#segments !== undefined;
  }

  close(): void {
    this.#scratch.close();
  }

  #load(): Promise<readonly ScratchSegment[]> {
    this.#segments ??= this.#readAll();
    return this.#segments;
  }

  async #readAll(): Promise<readonly ScratchSegment[]> {
    const keep = (states: StreamStates): Slots =>
      new Map([...states].map(([stream, { values }]) => [stream, this.#scratch.append(values)] as const));
    const segments: ScratchSegment[] = [];
    for await (const { segment: own, dense } of this.#source()) {
      const { segment, language, lengths, states } = own;
      segments.push({ head: { segment, language, lengths }, own: keep(states), dense: dense && keep(dense.states) });
      this.#onRead(segments.length);
    }
    return segments;
  }
}

function slotOf(segment: ScratchSegment, owner: StatesOwner, stream: string): ScratchSlot {
  const slot = segment[owner]?.get(stream);
  if (slot === undefined) throw new InternalError(`a segment has no ${owner} states of stream ${stream}`, { stream });
  return slot;
}
