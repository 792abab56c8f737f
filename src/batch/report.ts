import { writeFile } from 'node:fs/promises';
import { stringify } from 'csv-stringify/sync';
import { KaomonError } from '../platform/errors.js';
import type { BatchResult } from './batch.js';
import type { RefusedItem } from './list.js';

/** A picture that was not used, or that had to be turned. */
export interface ReportLine {
  file: string;
  groupid: string;
  userid: string;
  /** `refused`, or what a turned picture became: `enrolled`, `known`. */
  outcome: BatchResult['outcome'];
  /** Clockwise degrees, 0 for a picture that was upright. */
  turned: number;
  code: string;
  message: string;
}

/** The pictures that somebody should look at, sorted by name. */
export function reportOf(results: readonly BatchResult[], refused: readonly RefusedItem[]): ReportLine[] {
  const lines = [
    ...results
      .filter(({ error, turned }) => error ?? turned)
      .map(({ item, outcome, turned = 0, error }): ReportLine => ({
        file: item.name,
        groupid: item.groupid,
        userid: item.userid,
        outcome,
        turned,
        code: error?.code ?? '',
        message: error?.message ?? '',
      })),
    ...refused.map(({ name, groupid, userid, error }): ReportLine => ({
      file: name,
      groupid,
      userid,
      outcome: 'refused',
      turned: 0,
      code: error.code,
      message: error.message,
    })),
  ];
  return lines.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** One line of the report for a person. */
export function describeLine({ file, outcome, turned, message }: ReportLine): string {
  if (outcome === 'refused') return `not used  ${file}: ${message}`;
  return `turned    ${file}: its face was found after a turn by ${turned} degrees (clockwise)`;
}

/** Writes the report, as JSON where the name ends with .json, else as CSV. @throws KaomonError SETUP when it cannot be written */
export async function writeReport(file: string, lines: readonly ReportLine[]): Promise<void> {
  const text = file.endsWith('.json')
    ? `${JSON.stringify(lines, null, 2)}\n`
    : stringify([...lines], {
        header: true,
        columns: ['file', 'groupid', 'userid', 'outcome', 'turned', 'code', 'message'],
        // So that a spreadsheet does not run a name as a formula.
        escape_formulas: true,
      });
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new KaomonError('SETUP', `The report cannot be written to ${file}.`, { cause });
  }
}
