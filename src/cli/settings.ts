import { SettingsSchema } from '../settings/schema.js';

interface Property {
  default?: string | number | boolean;
  description?: string;
  minimum?: number;
  maximum?: number;
  /** Of a union: its literals. */
  anyOf?: { const: string }[];
}

/** Settings whose default depends on the machine: their descriptions say how. */
const BY_MACHINE = new Set(['VISION_THREADS', 'NETWORK_THREADS']);

/** Every setting as a row of a Markdown table; a test checks that docs/settings.md has this table. */
export function settingsTable(): string {
  const rows = Object.entries(SettingsSchema.properties as Record<string, Property>).map(
    ([name, property]) => {
      const { default: value, description = '', minimum, maximum, anyOf = [] } = property;
      const shown = value === undefined || value === '' || BY_MACHINE.has(name) ? '' : `\`${String(value)}\``;
      const upTo = maximum === undefined ? 'or more' : `to ${maximum}`;
      const range = minimum === undefined ? '' : `${minimum} ${upTo}`;
      const bounds = range || anyOf.map((literal) => `\`${literal.const}\``).join(', ');
      return `| \`${name}\` | ${shown} | ${bounds} | ${description.replaceAll('|', '\\|')} |`;
    },
  );
  return ['| setting | default | bounds | what it does |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/**
 * `kaomon settings`: prints the table of docs/settings.md.
 * @returns the exit status
 */
export function main(): Promise<number> {
  console.log(settingsTable());
  return Promise.resolve(0);
}
