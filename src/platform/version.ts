import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { PROJECT_ROOT } from './root.js';

/** The program's version, from package.json. */
export const VERSION = Value.Parse(
  Type.Object({ version: Type.String() }),
  JSON.parse(readFileSync(path.join(PROJECT_ROOT, 'package.json'), 'utf8')),
).version;
