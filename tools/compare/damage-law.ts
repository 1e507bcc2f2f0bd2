/** How well losses follow damage: what `mbs predict --measured` rests on. */
import { at } from "@mbs/contracts";
import { mean, spearman } from "@mbs/numbers";
import { predictLoss } from "../../packages/reporting/src/damage/damage-law.ts";
import { markdownTable } from "../pages/blocks.ts";
import { ofLanguage } from "./draws.ts";
import type { DrawnRow } from "./draws.ts";
import { hundredths, moment, percent, titleOf } from "./languages-rows.ts";
import { twelveLanguages } from "./languages.ts";
import { allMethods, allMixes } from "./rows.ts";
import { thousandths } from "./tables.ts";
import type { DamageRow } from "./row-files.ts";

/** What one compressed model did to a language, and what that lost. */
interface Measured {
  readonly damage: number;
  readonly loss: number;
}

/** Models of a method by language, of which damage and loss are known. */
function measuredBy(rows: readonly DrawnRow[], damages: readonly DamageRow[], method: string): readonly Measured[][] {
  const models = damages.flatMap(({ damage, ...model }) => {
    const row = rows.find((own) => own.method === method && own.mix === model.mix && own.draw === model.draw);
    return model.method !== method || row === undefined ? [] : [{ damage, rises: row.rises }];
  });
  return twelveLanguages.map(({ tag }) =>
    models.flatMap(({ damage, rises }) => {
      const [own, loss] = [damage[tag] ?? 0, ofLanguage(tag)(rises)];
      return own > 0 && loss > 0 ? [{ damage: own, loss }] : [];
    }),
  );
}

/** Every two models of a language, one to predict the other from. */
const pairsIn = (models: readonly Measured[]): readonly (readonly [from: Measured, to: Measured])[] =>
  models.flatMap((from) => models.flatMap((to) => (from === to ? [] : [[from, to] as const])));

/** Whether a mix has text of all languages. */
function hasAll(mix: string): boolean {
  const { text, without, amountOf } = allMixes[mix] ?? {};
  return !text?.startsWith("only:") && without === undefined && amountOf?.segments !== 0;
}

/** How well damage orders the models of a language, the mean of languages; two have an order, and no correlation. */
const orderWithin = (languages: readonly (readonly Measured[])[]): string =>
  at(languages, 0).length > 2
    ? hundredths(
        mean(
          languages.map((models) =>
            spearman(
              models.map(({ damage }) => damage),
              models.map(({ loss }) => loss),
            ),
          ),
        ),
      )
    : "–";

/** By which power losses go with damage, by least squares over pairs of models in each language. */
function exponentOf(languages: readonly (readonly Measured[])[]): number {
  const pairs = languages.flatMap(pairsIn);
  const damage = pairs.map(([from, to]) => Math.log(to.damage / from.damage));
  const loss = pairs.map(([from, to]) => Math.log(to.loss / from.loss));
  return moment(damage, loss) / moment(damage, damage);
}

/**
 * A line a method: how well damage orders its models within a language, the power of the other methods, and how far off a loss is
 * that is predicted from another model of the method.
 */
export function damageLawTable(rows: readonly DrawnRow[], damages: readonly DamageRow[]): string {
  const byMethod = Object.keys(allMethods)
    .map((method) => ({ method, languages: measuredBy(rows, damages, method) }))
    .filter(({ languages }) => languages.every((models) => models.length > 1));
  const lines = byMethod.map(({ method, languages }) => {
    const others = byMethod.filter((own) => own.method !== method).map((own) => exponentOf(own.languages));
    const ofMixes = measuredBy(
      rows,
      damages.filter(({ mix }) => hasAll(mix)),
      method,
    );
    const predictions = languages.flatMap(pairsIn).flatMap(([from, to]) => {
      // all models were scored on the same windows
      const predicted = predictLoss({ ...from, interval: [from.loss, from.loss] }, to.damage);
      return typeof predicted === "string" ? [] : [{ from, to, predicted }];
    });
    const within95 = predictions.filter(({ to, predicted: { interval } }) => to.loss >= interval[0] && to.loss <= interval[1]);
    return [
      titleOf(method),
      String(at(languages, 0).length),
      orderWithin(languages),
      String(at(ofMixes, 0).length),
      orderWithin(ofMixes),
      hundredths(exponentOf(languages)),
      others.length === 0 ? "" : hundredths(mean(others)),
      thousandths(mean(predictions.map(({ to, predicted }) => Math.abs(predicted.loss - to.loss)))),
      thousandths(mean(predictions.map(({ from, to }) => Math.abs(from.loss - to.loss)))),
      percent(within95.length / predictions.length),
    ];
  });
  const head = ["method", "models", "rank correlation within a language", "with text of all", "their correlation", "power"];
  return markdownTable(
    [...head, "of the other methods", "error, nats", "where nothing changes", "in the 95% interval"],
    lines,
    1,
  );
}
