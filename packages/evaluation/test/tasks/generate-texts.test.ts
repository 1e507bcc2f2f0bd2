import { fileURLToPath } from "node:url";
import { BadDataError, UsageError, at } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { generate, openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { generateTexts } from "../../src/index.ts";
import type { Prompt } from "../../src/index.ts";

const model = await openModel(fileURLToPath(new URL("../../../../datasets/controlled-bloom", import.meta.url)));
const tokenizer = await model.tokenizer();
test.after(() => model.close());

const context = testContext();

async function answers(prompts: readonly Partial<Prompt>[], own: Model = model, reader = tokenizer): Promise<string[]> {
  const whole = prompts.map((prompt, index) => ({
    name: `prompt ${index}`,
    context: "",
    until: [],
    maximumTokens: 8,
    ...prompt,
  }));
  const found: string[] = [];
  const scored = { model: own, label: "model", activations: "float32" } as const;
  const options = { tokenizer: reader, contextLength: 64, longTexts: "cut" } as const;
  for await (const { text } of generateTexts(scored, whole, options, context)) found.push(text);
  return found;
}

const texts = ["The city of", "The city of", "La ville de Paris est", "The city is in the north of"];

test("answers to several prompts are those that the model gives one by one", async () => {
  const found = await answers(texts.map((text, index) => ({ context: text, maximumTokens: 6 + index })));
  for (const [index, text] of texts.entries()) {
    assert.is(at(found, index), await generate(model, text, 6 + index, { threads: 1 }), text);
  }
});

test("more prompts than run at a time keep their order", async () => {
  const many = Array.from({ length: 40 }, (_, index) => ({ context: at(texts, index % 4), maximumTokens: 2 }));
  const found = await answers(many);
  assert.is(found.length, 40);
  for (const [index, answer] of found.entries()) assert.is(answer, at(found, index % 4));
});

test("a model without a tree, which reads all texts again, answers the same", async () => {
  const plain: Model = {
    ...model,
    async forward(options) {
      const { tree: _, ...others } = await model.forward(options);
      return others;
    },
  };
  const asked = texts.map((text) => ({ context: text, maximumTokens: 3 }));
  assert.equal(await answers(asked, plain), await answers(asked));
});

test("an answer ends before the first of its texts, and at the token that ends texts", async () => {
  const [whole] = await answers([{ context: "The city of" }]);
  assert.ok(whole !== undefined && whole.length > 6);
  const [early, late] = [whole.slice(3, 5), whole.slice(5)];
  assert.equal(await answers([{ context: "The city of", until: [late, "", early] }]), [whole.slice(0, whole.indexOf(early))]);
  const second = at(tokenizer.encode(whole), 1);
  const ended = { ...tokenizer, eos: { id: second, text: "" } };
  assert.equal(await answers([{ context: "The city of" }], model, ended), [tokenizer.decode([at(tokenizer.encode(whole), 0)])]);
});

test("of a prompt that leaves no space the end is kept; an answer as long as the context is refused", async () => {
  const long = "one two three four five six seven eight nine ten ".repeat(20).trim();
  const tail = tokenizer.decode([...tokenizer.encode(long).subarray(-56)]);
  assert.equal(await answers([{ context: long }]), await answers([{ context: tail }]));
  let failure: unknown;
  await answers([{ context: "a", maximumTokens: 64 }]).catch((error: unknown) => (failure = error));
  assert.instance(failure, UsageError);
});

test("a logit that is not a number is reported, and no answer made of it", async () => {
  const broken: Model = {
    ...model,
    async forward(options) {
      const forward = await model.forward(options);
      return {
        ...forward,
        async logitsByTokens(states, order) {
          const tiles = await forward.logitsByTokens?.(states, order);
          if (tiles === undefined) throw new Error("a decoder has tiles of logits");
          return async (tokens, into) => {
            const logits = await tiles(tokens, into);
            return { ...logits, values: logits.values.map((logit, index) => (index === 7 ? NaN : logit)) };
          };
        },
      };
    },
  };
  let failure: unknown;
  await answers([{ context: "The city of" }], broken).catch((error: unknown) => (failure = error));
  assert.instance(failure, BadDataError);
  assert.match((failure as Error).message, /^model: a logit of prompt 0 is NaN; /);
});

test.run();
