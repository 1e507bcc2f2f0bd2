import { BadDataError } from "@mbs/contracts";
import { demand, toBytes } from "./input.ts";
import type { Reader } from "./input.ts";

/** A reader of two inputs that does something at its sixth mutation, and otherwise refuses. */
const atSixth =
  (act: () => unknown): Reader =>
  async () => {
    let calls = 0;
    const bytes = toBytes("sound");
    const read = (given: Uint8Array): void => {
      if (Buffer.compare(given, bytes) === 0) return;
      calls += 1;
      if (calls === 6) act();
      throw new BadDataError("refused");
    };
    return ["one", "other"].map((name) => ({ name, bytes, form: "bytes", read }));
  };

/** Readers that do what none may do: the test of what finds it. */
export const readers: ReadonlyMap<string, Reader> = new Map([
  ["sound", atSixth(() => {})],
  [
    "bug",
    atSixth(() => {
      throw new TypeError("a bug");
    }),
  ],
  ["wrong", atSixth(() => demand(false, "not what it says"))],
  ["crash", atSixth(() => process.abort())],
  [
    "endless",
    atSixth(() => {
      // as native code does
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }),
  ],
  ["memory", atSixth(() => Buffer.alloc(600 * 2 ** 20, 1))],
]);
