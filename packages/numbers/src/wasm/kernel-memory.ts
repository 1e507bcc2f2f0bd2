import { kernelsBinary } from "./kernels-binary.ts";

const pageBytes = 65536;

/** The kernels' functions; assembly/ says what their arguments are. A capital letter is the address of an array. */
export interface Kernels {
  fix(
    W: number,
    E: number,
    U: number,
    T: number,
    S: number,
    Z: number,
    M: number,
    C: number,
    B: number,
    R: number,
    rows: number,
    first: number,
    last: number,
    maximum: number,
    P: number,
    V: number,
    gridBytes: number,
    O: number,
    L: number,
    carriesValues: number,
  ): void;
  fit(
    W: number,
    T: number,
    D: number,
    L: number,
    H: number,
    A: number,
    B: number,
    S: number,
    Z: number,
    F: number,
    G: number,
    R: number,
    rows: number,
    columns: number,
    maximum: number,
    midpoint: number,
    leastZero: number,
    dtype: number,
    steps: number,
    closeness: number,
  ): void;
  fitAffine(
    W: number,
    T: number,
    D: number,
    A: number,
    S: number,
    O: number,
    R: number,
    rows: number,
    columns: number,
    tries: number,
    maximum: number,
    fromZero: number,
  ): void;
  fitSigned(
    W: number,
    T: number,
    D: number,
    A: number,
    S: number,
    R: number,
    rows: number,
    columns: number,
    tries: number,
    least: number,
    most: number,
    L: number,
  ): void;
  fitShort(
    W: number,
    T: number,
    D: number,
    S: number,
    R: number,
    rows: number,
    columns: number,
    largestLevel: number,
    dropped: number,
    reach: number,
    L: number,
  ): void;
  chooseNumbers(
    W: number,
    T: number,
    D: number,
    S: number,
    O: number,
    F: number,
    G: number,
    s: number,
    o: number,
    R: number,
    rows: number,
    columns: number,
    zero: number,
    maximum: number,
    lowest: number,
    highest: number,
    mostOffset: number,
    L: number,
  ): void;
  refit(
    X: number,
    C: number,
    T: number,
    H: number,
    B: number,
    F: number,
    G: number,
    s: number,
    o: number,
    S: number,
    O: number,
    R: number,
    rows: number,
    columns: number,
    zero: number,
    offsetCurvature: number,
    least: number,
    most: number,
    mostOffset: number,
    kind: number,
    dropped: number,
    L: number,
  ): void;
  sumProducts(V: number, G: number, P: number, Q: number, C: number, R: number, columns: number): void;
  addScaledRows(G: number, P: number, F: number, R: number, columns: number): void;
  writeValues(V: number, K: number, S: number, Z: number, R: number, columns: number): void;
  largest(P: number, n: number): number;
  sumLogits(P: number, Q: number, n: number, p: number, q: number, O: number): void;
  roundPoints(
    X: number,
    U: number,
    S: number,
    C: number,
    Q: number,
    T: number,
    L: number,
    B: number,
    rows: number,
    columns: number,
    width: number,
    sizes: number,
    evenSigns: number,
    keeps: number,
  ): void;
  findNearest(
    X: number,
    W: number,
    C: number,
    F: number,
    G: number,
    S: number,
    Z: number,
    B: number,
    at: number,
    columns: number,
    sizes: number,
    firsts: number,
    width: number,
    evenSigns: number,
    scale: number,
    limit: number,
  ): number;
}

interface Memory {
  readonly buffer: ArrayBuffer;
}

/** What is used of the engine's WebAssembly; Node's own types leave it to the DOM's. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => Memory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: Memory } },
  ) => { readonly exports: Kernels };
};

let compiled: object | undefined;

/** The arrays that a kernel works on, cut from one memory. */
export class KernelLayout {
  // the first bytes stay free: address 0 means "absent" to the kernels
  #end = 64;

  /** @returns the address of so many bytes, zero at first */
  take(bytes: number): number {
    const start = this.#end;
    this.#end += Math.ceil(bytes / 16) * 16;
    return start;
  }

  /** The memory, and the kernels on it. */
  build(): { readonly buffer: ArrayBuffer; readonly kernels: Kernels } {
    const pages = Math.ceil(this.#end / pageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    compiled ??= new WebAssembly.Module(Buffer.from(kernelsBinary, "base64"));
    return { buffer: memory.buffer, kernels: new WebAssembly.Instance(compiled, { env: { memory } }).exports };
  }
}
