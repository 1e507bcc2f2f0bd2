import { test } from "uvu";
import * as assert from "uvu/assert";
import { scopeOf, withScope } from "./rename-scope.ts";

test("a scope is renamed in names of packages and of tarballs, and nowhere else", () => {
  const text = String.raw`import "@old/gguf"; /only @old\/onnx/; npm install ./old-gguf-*.tgz ./old-models-0.1.0.tgz; me@old/x @oldx/y`;
  assert.is(
    withScope(text, "@old", "@new-name"),
    String.raw`import "@new-name/gguf"; /only @new-name\/onnx/; npm install ./new-name-gguf-*.tgz ./new-name-models-0.1.0.tgz; me@old/x @oldx/y`,
  );
});

test("the packages have one scope", () => {
  assert.is(scopeOf(["@old/gguf", "mbs", "@old/onnx"]), "@old");
  assert.throws(() => scopeOf(["@a/x", "@b/y"]), /one scope was expected: @a, @b/);
});

test.run();
