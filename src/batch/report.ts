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

/** Every picture that somebody should look at, by name. */
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

/** Writes the report: JSON where the name ends so, else CSV. @throws KaomonError SETUP when it cannot be written */
export async function writeReport(file: string, lines: readonly ReportLine[]): Promise<void> {
  const text = file.endsWith('.json')
    ? `${JSON.stringify(lines, null, 2)}\n`
    : stringify([...lines], {
        header: true,
        columns: ['file', 'groupid', 'userid', 'outcome', 'turned', 'code', 'message'],
        // A name that a spreadsheet would take for a formula is not one.
        escape_formulas: true,
      });
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new KaomonError('SETUP', `The report cannot be written to ${file}.`, { cause });
  }
}
