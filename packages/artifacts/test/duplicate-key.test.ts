import { test } from "uvu";
import * as assert from "uvu/assert";
import { findDuplicateKey } from "../src/json.ts";

test("a name twice in one object is found, whatever its spelling", () => {
  assert.equal(findDuplicateKey('{"a":1,"a":2}'), { key: "a", offset: 7 });
  assert.is(findDuplicateKey('{"a":{"b":[1,{"c":0,"\\u0063":1}]}}')?.key, "c");
});

test("names of different objects, and values, are no duplicates", () => {
  assert.is(findDuplicateKey('{"a":{"a":"a"},"b":["a","a",{"a":1},{"a":1}],"c":"\\"a\\":{"}'), undefined);
});

test.run();
