import { at, counted } from "@mbs/contracts";
import { formatRise, formatShare, formatNumber, riseBar, riseBarText, wrapLines } from "@mbs/reporting";
import type { DemoResults, MixResult, Rise } from "./demo-results.ts";
import { taskFindings } from "./demo-tasks.ts";
import { findings, predictionFinding } from "./findings.ts";

/** A text in a language, and the continuation by the compressed model. */
export interface Completion {
  readonly language: string;
  readonly prompt: string;
  readonly continuation: string;
}

const columns = 80;
const barWidth = 8;

const cut = (text: string, width: number): string => {
  const plain = text.replaceAll(/\s+/g, " ").trim();
  const letters = Array.from(new Intl.Segmenter().segment(plain), ({ segment }) => segment);
  return letters.length <= width ? plain : `${letters.slice(0, width - 1).join("")}…`;
};

/** "+12.3%* ▉       ": 18 columns. */
const cell = ({ rise, excludesZero }: Rise): string =>
  ` ${formatRise(rise).padStart(7)}${excludesZero ? "*" : " "} ${riseBar(rise, barWidth)}`;

function averageLine(
  name: string,
  mixes: readonly MixResult[],
  of: (mix: MixResult) => Rise,
  note: (mix: MixResult) => string,
): string {
  const cells = mixes.map(
    (mix) => ` ${formatRise(of(mix).rise).padStart(7)}${of(mix).excludesZero ? "*" : " "} ${note(mix).padEnd(barWidth)}`,
  );
  return `${name.padEnd(22)}${cells.join(" ")}`.trimEnd();
}

/** The lines that say how the numbers were made. */
export function settingsLines({ plan, languages }: DemoResults): string[] {
  const counts = languages.map(({ windows }) => windows);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return [
    `${languages.length} languages, ${least === most ? least : `${least} to ${most}`} held-out windows a language of ${plan.length} tokens; ` +
      `calibration ${plan.segments} segments of ${plan.length} tokens for every mix, ${counted(plan.seeds.length, "seed")}; ` +
      `sequential propagation (GPTQ: true-sequential, groups of 64 columns).`,
  ];
}

/** One screen: what each mix does to each language with the first method. */
export function demoScreen(results: DemoResults, completions: readonly Completion[], next: readonly string[]): string {
  const method = at(results.methods, 0);
  const head =
    `${"language share dense".padEnd(22)}${method.mixes.map(({ title }) => ` ${title.padEnd(17)}`).join(" ")}`.trimEnd();
  const rows = results.languages.map(({ language, share, perplexity }, index) => {
    const cells = method.mixes.map(({ languages }) => cell(at(languages, index)));
    return `${language.padEnd(8)} ${formatShare(share).padStart(5)} ${formatNumber(perplexity).padStart(6)} ${cells.join(" ")}`.trimEnd();
  });
  return [
    ...findings(results, method).flatMap((line) => wrapLines(line, "", "  ")),
    ...settingsLines(results).flatMap((line) => wrapLines(line, "", "  ")),
    "",
    head,
    ...rows,
    averageLine(
      "mean over languages",
      method.mixes,
      ({ unweighted }) => unweighted,
      () => "",
    ),
    averageLine(
      "weighted by share",
      method.mixes,
      ({ weighted }) => weighted,
      () => "",
    ),
    averageLine(
      "worst language",
      method.mixes,
      ({ worst }) => worst,
      ({ worst }) => worst.language,
    ),
    `* 95% interval excludes zero; rises above dense; ${riseBarText}`,
    ...wrapLines(predictionFinding(method), "", "  "),
    ...taskFindings(results.tasks, method.title).flatMap((line) => wrapLines(line, "", "  ")),
    ...(completions.length === 0 ? [] : [`How the compressed model goes on (in brackets), ${method.title}, proportional mix:`]),
    ...completions.map(({ language, prompt, continuation }) => cut(`${language}: ${prompt} [${continuation.trim()}]`, columns)),
    ...next,
    "",
  ].join("\n");
}
