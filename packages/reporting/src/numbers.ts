import type { TestedCorrelation } from "@mbs/numbers";

/** 23.456 → "23.5", 1234.5 → "1235": enough digits to tell models apart. */
export const formatNumber = (value: number): string => (Math.abs(value) < 100 ? value.toPrecision(3) : value.toFixed(0));

/** 0.0123 → "+1.2%". */
export function formatRise(rise: number): string {
  const percent = rise * 100;
  const text = Math.abs(percent) < 100 ? percent.toFixed(1) : percent.toFixed(0);
  return `${percent < 0 ? "" : "+"}${text}%`;
}

/** What stands for the interval of so few windows that none is known. */
export const tooFewWindows = "too few windows";

/** A 95% interval of rises: "+0.5 … +2.1%". */
export const formatInterval = ([low, high]: readonly [number, number]): string =>
  Number.isNaN(low) ? tooFewWindows : `${formatRise(low).slice(0, -1)} … ${formatRise(high)}`;

/** "+1.2% (+0.5 … +2.1%)"; where `starred`, with a star behind the rise if the interval excludes zero. */
export const formatRiseWithin = (rise: number, interval: readonly [number, number], starred = false): string =>
  `${formatRise(rise)}${starred && (interval[0] > 0 || interval[1] < 0) ? " *" : ""} (${formatInterval(interval)})`;

/** A 95% interval of divergences: "0.0123 … 0.0145". */
export const formatNumberInterval = ([low, high]: readonly [number, number]): string =>
  Number.isNaN(low) ? tooFewWindows : `${formatNumber(low)} … ${formatNumber(high)}`;

/** 0.9876 → "98.8%". */
export const formatAgreement = (share: number): string => `${(share * 100).toFixed(1)}%`;

/** A 95% interval of shares: "97.1 … 99.3%". */
export const formatShareInterval = ([low, high]: readonly [number, number]): string =>
  Number.isNaN(low) ? "too few" : `${formatAgreement(low).slice(0, -1)} … ${formatAgreement(high)}`;

/** 0.0049 → "0.5%". */
export const formatShare = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`;

/** "0.85 (p = 0.0012)"; "none" where nothing varies. */
export const formatCorrelation = ({ value, p }: TestedCorrelation): string =>
  Number.isNaN(value) ? "none" : `${value.toFixed(2)} (p = ${p.toPrecision(2)})`;

/** 0.00123 → "0.12%", 0.02 → "2.0%": two digits, however small. */
export function formatError(relative: number): string {
  const percent = relative * 100;
  return `${percent < 99.5 ? percent.toPrecision(2) : percent.toFixed(0)}%`;
}
