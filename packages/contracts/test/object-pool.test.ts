import { createObjectPool } from "@mbs/contracts";
import type { Poolable } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** Objects that note their names when they are closed. */
function objects() {
  const closed: string[] = [];
  const object = (name: string, bytes: number): Poolable => ({ bytes, close: async () => void closed.push(name) });
  return { closed, object };
}

test("gives back what was put, once", async () => {
  const { object } = objects();
  const pool = createObjectPool(100);
  const model = object("model", 10);
  assert.is(pool.take("m"), undefined);
  await pool.put("m", model);
  assert.is(pool.take("other"), undefined);
  assert.is(pool.take("m"), model);
  assert.is(pool.take("m"), undefined, "its user has it alone");
});

test("keeps several objects of a key, which two users had at once", async () => {
  const { object, closed } = objects();
  const pool = createObjectPool(100);
  const [first, second] = [object("first", 10), object("second", 10)];
  await pool.put("m", first);
  await pool.put("m", second);
  assert.is(pool.take("m"), second);
  assert.is(pool.take("m"), first);
  assert.equal(closed, []);
});

test("closes what was put longest ago beyond the limit", async () => {
  const { object, closed } = objects();
  const pool = createObjectPool(100);
  for (const name of ["a", "b", "c"]) await pool.put(name, object(name, 30));
  await pool.put("a", pool.take("a") as Poolable);
  await pool.put("d", object("d", 40));
  assert.equal(closed, ["b"]);
  await pool.put("e", object("e", 100));
  assert.equal(closed, ["b", "c", "a", "d"]);
});

test("closes at once what is larger than the limit, and keeps the others", async () => {
  const { object, closed } = objects();
  const pool = createObjectPool(100);
  const small = object("small", 100);
  await pool.put("small", small);
  await pool.put("large", object("large", 101));
  assert.equal(closed, ["large"]);
  assert.is(pool.take("small"), small);
});

test("counts the size at the time of each put", async () => {
  const { object, closed } = objects();
  const pool = createObjectPool(100);
  let bytes = 0;
  const growing: Poolable = { ...object("growing", 0), get bytes() { return bytes; } }; // prettier-ignore
  await pool.put("growing", growing);
  await pool.put("other", object("other", 60));
  pool.take("growing");
  bytes = 50;
  await pool.put("growing", growing);
  assert.equal(closed, ["other"]);
});

test("a closed pool closes what is idle, and what is in use when it comes back", async () => {
  const { object, closed } = objects();
  const pool = createObjectPool(100);
  const used = object("used", 1);
  await pool.put("used", used);
  await pool.put("idle", object("idle", 1));
  pool.take("used");
  await pool.close();
  assert.equal(closed, ["idle"]);
  await pool.put("used", used);
  assert.equal(closed, ["idle", "used"]);
  assert.is(pool.take("used"), undefined);
});

test("closes all others where one fails to close, and says so", async () => {
  const { object, closed } = objects();
  const pool = createObjectPool(100);
  const broken: Poolable = { bytes: 1, close: () => Promise.reject(new Error("disk gone")) };
  await pool.put("broken", broken);
  await pool.put("sound", object("sound", 1));
  await pool.close().then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, "disk gone"),
  );
  assert.equal(closed, ["sound"]);
});

test.run();
