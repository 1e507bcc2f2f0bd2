import { ScratchFile } from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("scratch file");

test("values are read in any order and replaced in place", () => {
  const scratch = new ScratchFile();
  const first = scratch.append(Float32Array.of(1, 2));
  const second = scratch.append(Uint8Array.of(7));
  assert.equal([...scratch.read(second)], [7]);
  scratch.overwrite(first, Float32Array.of(3, 4));
  const target = new Float32Array(2);
  scratch.readInto(first, target);
  assert.equal([...target], [3, 4]);
  scratch.clear();
  assert.is(scratch.append(Uint8Array.of(1)).offset, 0);
  scratch.close();
});

test.run();
