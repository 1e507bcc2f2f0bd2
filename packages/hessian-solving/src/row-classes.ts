import { at } from "@mbs/contracts";

/** Rows of a tensor in classes, each of which gets a Hessian of its own. */
export interface RowClasses {
  /** The class of each row, from 1 on; 0 for a row that is in none. */
  readonly classOf: Float32Array;
  /** Of class 1, 2, …: what its rows cost each language, [languages]. */
  readonly costs: readonly Float64Array[];
}

/**
 * The language that has more than half of what each row costs, all languages counted alike; -1 where none has.
 *
 * @param weights by which the costs of each language are weighed
 */
function mainLanguages(costs: readonly Float32Array[], weights: readonly number[]): Int32Array {
  const rows = at(costs, 0).length;
  const [sums, most, languages] = [new Float64Array(rows), new Float64Array(rows), new Int32Array(rows).fill(-1)];
  for (const [language, own] of costs.entries()) {
    for (const [row, weighed] of own.entries()) {
      const cost = weighed / at(weights, language);
      sums[row] = at(sums, row) + cost;
      if (cost <= at(most, row)) continue;
      most[row] = cost;
      languages[row] = language;
    }
  }
  return languages.map((language, row) => (2 * at(most, row) > at(sums, row) ? language : -1));
}

/** Rows whose main language is one of some. */
interface LanguageClass {
  readonly languages: readonly number[];
  readonly costs: Float64Array;
}

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

const added = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, index) => value + at(b, index));

/** −Σ a·ln(a / Σa): what is lost when the shares of a class stand for those of its rows is the difference of two of these. */
function entropy(values: Float64Array): number {
  const all = sumOf(values);
  return values.reduce((sum, value) => (value > 0 ? sum - value * Math.log(value / all) : sum), 0);
}

/**
 * Joins the two classes that are most alike, again and again, until there are no more than `most`: those whose languages' shares
 * differ least from those of both together (Jensen–Shannon divergence).
 *
 * @param totals of all rows, by which costs are divided first, so that languages with a small share of the mix count the same
 */
function joinClasses(classes: readonly LanguageClass[], totals: readonly number[], most: number): LanguageClass[] {
  const left = [...classes];
  const scaled = ({ costs }: LanguageClass): Float64Array => costs.map((cost, language) => cost / (at(totals, language) || 1));
  while (left.length > most) {
    const compared = left.map(scaled);
    let nearest = { loss: Infinity, first: 0, second: 1 };
    for (const [first, a] of compared.entries()) {
      for (const [place, b] of compared.slice(first + 1).entries()) {
        const loss = entropy(added(a, b)) - entropy(a) - entropy(b);
        if (loss < nearest.loss) nearest = { loss, first, second: first + 1 + place };
      }
    }
    const [one, other] = [at(left, nearest.first), at(left, nearest.second)];
    left[nearest.first] = { languages: [...one.languages, ...other.languages], costs: added(one.costs, other.costs) };
    left.splice(nearest.second, 1);
  }
  return left;
}

/**
 * Classes of rows by the language that has more than half of what a row costs, the most similar ones joined. Rows that several
 * languages share, such as punctuation, are in none.
 *
 * @param costs of an error of each row's output to each language, times its weight in the mix; [languages][rows], ≥ 0
 * @param weights of the languages, > 0
 * @param most classes, ≥ 1
 */
export function classifyRows(costs: readonly Float32Array[], weights: readonly number[], most: number): RowClasses {
  const languages = mainLanguages(costs, weights);
  const sums = costs.map(() => new Float64Array(costs.length));
  for (const [language, own] of costs.entries()) {
    for (const [row, cost] of own.entries()) {
      const sum = sums[at(languages, row)];
      if (sum !== undefined) sum[language] = at(sum, language) + cost;
    }
  }
  const found = sums.flatMap((sum, language) => (sumOf(sum) > 0 ? [{ languages: [language], costs: sum }] : []));
  const classes = joinClasses(found, costs.map(sumOf), most);
  const numbers = costs.map((_, language) => classes.findIndex((own) => own.languages.includes(language)) + 1);
  return {
    classOf: Float32Array.from(languages, (language) => numbers[language] ?? 0),
    costs: classes.map((own) => own.costs),
  };
}
