import { test } from "uvu";
import { openTasks } from "../src/index.ts";
import { refused } from "./refused.ts";
import { withFiles } from "./temporary-folder.ts";

const deep = (part: string, count: number, inside = ""): string => part.repeat(count) + inside;

/** Templates without end, and what the error has to say. */
const templates: readonly (readonly [string, string, RegExp])[] = [
  ["loops in loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", /1000000 steps/],
  [
    "a text that doubles",
    '{% set n = namespace(s="x") %}{% for a in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}',
    /10000000 char/,
  ],
  [
    "a list that doubles",
    "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
    /1000000 items/,
  ],
  [
    "lists in lists",
    "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}",
    /1000000 items/,
  ],
  ["a list in itself", "{% set l = [] %}{% set x = l.append(l) %}{{ l }}", /nested deeper than 100 levels, or in itself/],
  ["a list that grows", "{% set l = [1] %}{% for i in l %}{% set x = l.append(i) %}{% endfor %}", /1000000 (?:steps|items)/],
  ["a long list that is searched", "{% set l = range(99999)|list %}{% for i in l %}{{ -1 in l }}{% endfor %}", /1000000 steps/],
  ["a long text that is indexed", '{% set s = "ab" * 500000 %}{% for i in range(9999) %}{{ s[0] }}{% endfor %}', /1000000 steps/],
  [
    "replace",
    '{% set n = namespace(s="x") %}{% for a in range(99) %}{% set n.s = n.s|replace("x", "xx") %}{% endfor %}',
    /10000000 char/,
  ],
  ["join", '{{ (["x"] * 100000)|join("x" * 100000) }}', /10000000 characters/],
  ["regex_replace of much", '{{ ("a" * 100000)|regex_replace("a", "b" * 100000) }}', /10000000 characters/],
  [
    "a regular expression without end",
    '{{ ("a" * 50 ~ "b")|regex_replace("(a+)+$", "") }}',
    /takes more than 2000 ms .*; simplify it/,
  ],
  ["digits without end", '{{ ("1" * 500000 ~ "x")|float("none")|abs }}', /str has no absolute value/],
  ["unique", "{{ range(99999)|unique }}", /unique takes at most/],
  ["a deep expression", `{{ ${deep("not ", 9000, "1")} }}`, /nested too deep|cannot be read/],
  ["break without a loop", "{% break %}", /break or continue outside of a loop/],
  ["continue without a loop", "{% continue %}", /break or continue outside of a loop/],
  ["a number beyond 2^53", "{{ 10 ** 100 }}", /too large to be held exactly/],
  ["an escape beyond Unicode", '{{ "\\UFFFFFFFF"|abs }}', /str has no absolute value/],
  ["names of JavaScript", "{{ q.constructor }}", /str has no 'constructor'/],
  ["a prototype", "{{ __proto__ }}", /'__proto__' is undefined/],
  [
    "a filter that is indexed",
    "{{ q|first('_')[0] }}",
    /what follows \| is no filter; of the result of one, write \(x \| name\)\[0\]/,
  ],
  ["a filter of JavaScript", "{{ q|constructor }}", /the filter constructor is not supported/],
];

const task = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries({ task: "t", dataset_path: "x", test_split: "test", output_type: "multiple_choice", ...fields })
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join("");

for (const [what, template, message] of templates) {
  test(`templates: ${what}`, async () => {
    const file = task({ doc_to_text: template, doc_to_choice: ["a", "b"], doc_to_target: "l" });
    await withFiles({ "a.yaml": file }, async (folder) => {
      const opening = openTasks(["t"], { paths: [folder] });
      await refused(
        opening.then(({ tasks: [opened] }) => opened?.documents(async () => [{ q: "Hello", l: 0 }])),
        message,
      );
    });
  });
}

test("choices: a row with one choice, or a list without end, is refused", async () => {
  await withFiles({ "a.yaml": task({ doc_to_text: "", doc_to_choice: "{{ c }}", doc_to_target: "l" }) }, async (folder) => {
    const [opened] = (await openTasks(["t"], { paths: [folder] })).tasks;
    const write = async (c: unknown): Promise<unknown> => opened?.documents(async () => [{ c, l: 0 }]);
    await refused(write(["a"]), /task t, row 0, doc_to_choice: .*two or more/);
    await refused(write("[".repeat(20_000)), /row 0, doc_to_choice: .* is no Python literal/);
    await refused(write(Array.from({ length: 999 }, (_, index) => index)), /… \(\d+ characters\); correct the row/);
  });
});

test("answers: a filter without end is stopped, naming task, row and expression", async () => {
  const file = task({
    output_type: "generate_until",
    doc_to_text: "q",
    doc_to_target: "l",
    filter_list: [{ name: "f", filter: [{ function: "regex", regex_pattern: "(a+)+$" }] }],
  });
  await withFiles({ "a.yaml": file }, async (folder) => {
    const [opened] = (await openTasks(["t"], { paths: [folder] })).tasks;
    const [document] = (await opened?.documents(async () => [{ q: "x", l: "y" }])) ?? [];
    const judged = async (): Promise<unknown> =>
      document?.kind === "generation" ? opened?.judge(document, `${"a".repeat(50)}b`) : undefined;
    await refused(judged(), /task t, row 0, filter_list: the regular expression "\(a\+\)\+.*takes more than 2000 ms/);
  });
});

test.run();
