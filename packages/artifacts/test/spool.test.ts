import { Spool } from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("spool");

test("values are read in any order and replaced in place", () => {
  const spool = new Spool();
  const first = spool.append(Float32Array.of(1, 2));
  const second = spool.append(Uint8Array.of(7));
  assert.equal([...spool.read(second)], [7]);
  spool.overwrite(first, Float32Array.of(3, 4));
  const target = new Float32Array(2);
  spool.readInto(first, target);
  assert.equal([...target], [3, 4]);
  spool.clear();
  assert.is(spool.append(Uint8Array.of(1)).offset, 0);
  spool.close();
});

test.run();
