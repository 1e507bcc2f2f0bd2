import { test } from "uvu";
import * as assert from "uvu/assert";
import { FailedPreconditionError, importOptional } from "../src/index.ts";

const wanted = { name: "mbs-no-such-package", version: "1.2.3", neededBy: "a queue" };

const failureOf = (load: () => Promise<unknown>): Promise<unknown> =>
  importOptional(load, wanted, [wanted, { ...wanted, name: "its-friend" }]).then(
    () => undefined,
    (error: unknown) => error,
  );

test("a package that is not installed is named with the line that installs it", async () => {
  const { name } = wanted;
  const error = await failureOf(() => import(name) as Promise<unknown>);
  assert.instance(error, FailedPreconditionError);
  assert.match(
    (error as Error).message,
    /^a queue needs mbs-no-such-package, which is not installed; .*: npm install mbs-no-such-package@1\.2\.3 its-friend@1\.2\.3 /,
  );
});

test("what such a package lacks itself, or throws when it loads, stays as it is", async () => {
  const other = "another-missing-package";
  assert.match(((await failureOf(() => import(other) as Promise<unknown>)) as Error).message, /another-missing-package/);
  const thrown = new Error("broken");
  assert.is(await failureOf(() => Promise.reject(thrown)), thrown);
});

test("one that is installed is what its import gives", async () => {
  const { test: found } = await importOptional(() => import("uvu"), { ...wanted, name: "uvu" }, []);
  assert.is(found, test);
});

test.run();
