export const presets: Readonly<Record<string, unknown>> = {};
