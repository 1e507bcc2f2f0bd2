import { test } from "uvu";
import * as assert from "uvu/assert";
import { findJsonFault, parseJson } from "../src/json.ts";

test("a name twice in one object is found, whatever its spelling", () => {
  assert.equal(findJsonFault('{"a":1,"a":2}'), { kind: "key", key: "a", offset: 7 });
  assert.equal(findJsonFault('{"a":{"b":[1,{"c":0,"\\u0063":1}]}}'), { kind: "key", key: "c", offset: 20 });
});

test("names of different objects, and values, are no duplicates", () => {
  assert.is(findJsonFault('{"a":{"a":"a"},"b":["a","a",{"a":1},{"a":1}],"c":"\\"a\\":{"}'), undefined);
});

test("numbers beyond float64 are found, and those within are none", () => {
  assert.is(findJsonFault('{"a":[1e308,-1.5E+300,0,-0.0,1e-999],"b":"1e999","c":true}'), undefined);
  assert.equal(findJsonFault('{"a":[1,-1e999]}'), { kind: "number", text: "-1e999", offset: 8 });
  const long = "9".repeat(309);
  assert.equal(findJsonFault(`{"a":${long}}`), { kind: "number", text: long, offset: 5 });
});

const nested = (levels: number): string => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;

test("100 levels are read, and one more is found", () => {
  assert.is(findJsonFault(nested(100)), undefined);
  assert.equal(findJsonFault(nested(101)), { kind: "levels", offset: 104 });
  assert.equal(Object.keys(parseJson(nested(100)) as object), ["a"]);
  for (const levels of [101, 50_000]) assert.is(parseJson(nested(levels)), undefined);
});

test.run();
