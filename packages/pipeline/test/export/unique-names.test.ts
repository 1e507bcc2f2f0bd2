import { test } from "uvu";
import * as assert from "uvu/assert";
import { uniqueNames } from "../../src/export/unique-names.ts";

test("ids that become the same name, or are cut to it, get numbers", () => {
  const names = uniqueNames(["a.b", "a-b", "a_b", "abcdefgh", "abcdefxy"], (id) => id.replaceAll(/\W/g, "_"), {
    longest: 6,
    separator: "_",
  });
  assert.equal([...names.values()], ["a_b", "a_b_2", "a_b_3", "abcdef", "abcd_2"]);
});

test.run();
