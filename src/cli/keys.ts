import { parseArgs } from 'node:util';
import { type AuditEntry, COMMAND_LINE, createAudit } from '../access/audit.js';
import { createKeys, type KeyInfo } from '../access/keys.js';
import { createLinks, LINK_MINUTES } from '../access/links.js';
import { ROLES, type Role } from '../access/roles.js';
import { signInUrl, urlsOf } from '../platform/addresses.js';
import { loadConfig } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import { runCommand } from './shared/parts.js';

const USAGE = `Usage: kaomon keys list                     lists the keys
       kaomon keys add NAME --role ROLE    adds a key and shows it once
                  --groups A,B             limits it to these groups (default: all groups)
       kaomon keys revoke NAME_OR_ID       revokes a key and signs out whoever uses it
       kaomon keys link [NAME_OR_ID]       prints a link that signs in once, within ${LINK_MINUTES} minutes, as that key (default:
                                           an administrator's)

Roles: ${ROLES.join(' < ')}. A running server sees changes at once. Give the command the server's settings
(KEYS_FILE, EMBEDDINGS_DIR): the keys are written to the file that they name.`;

/** One key as a line of a table. */
function describeKey({ id, name, role, groups, createdAt }: KeyInfo): string {
  const scope = groups ? groups.join(',') || 'no group' : 'all groups';
  return `${id}  ${role.padEnd(9)}  ${createdAt.slice(0, 10)}  ${name}  (${scope})`;
}

/**
 * `kaomon keys`: adds, lists and revokes keys in the file that the server reads.
 * @param words the command line after the command
 * @returns the exit status
 */
export function main(words: string[]): Promise<number> {
  return runCommand(
    async () => {
      const { values, positionals } = parseArgs({
        args: words,
        allowPositionals: true,
        options: {
          role: { type: 'string', default: 'recognise' },
          groups: { type: 'string' },
          help: { type: 'boolean', short: 'h', default: false },
        },
      });
      const [verb, name, ...more] = positionals;
      if (values.help) {
        console.log(USAGE);
        return 0;
      }
      const { KEYS_FILE, AUDIT_FILE, HOST, PORT, TLS } = loadConfig();
      const keys = createKeys({ file: KEYS_FILE });
      const audit = createAudit({ file: AUDIT_FILE });
      const record = async (action: AuditEntry['action'], { id, name, role, groups }: KeyInfo) => {
        const whom = { id, name, role, groups: groups ?? 'all' };
        await audit.record({ ...COMMAND_LINE, action, whom, outcome: 'done' });
      };
      if (verb === 'list' && positionals.length === 1) {
        const all = await keys.list();
        console.log(
          all.length > 0 ? all.map(describeKey).join('\n') : `There is no key yet in ${KEYS_FILE}.`,
        );
        return 0;
      }
      if (verb === 'add' && name && more.length === 0) {
        const groups = values.groups === undefined ? undefined : listOf(values.groups);
        const { key, info } = await keys.add({ name, role: roleOf(values.role), groups });
        await record('key added', info);
        console.error(`Added to ${KEYS_FILE}, which the server must read, too. The key is shown this once:`);
        console.log(key);
        return 0;
      }
      if (verb === 'revoke' && name && more.length === 0) {
        const info = await keys.revoke(name);
        await record('key revoked', info);
        console.log(`Revoked in ${KEYS_FILE}: ${info.name} (${info.id}).`);
        return 0;
      }
      if (verb === 'link' && more.length === 0) {
        const { token, key } = await createLinks({ file: KEYS_FILE }).make(name);
        await audit.record({ ...COMMAND_LINE, action: 'sign-in link', whom: key, outcome: 'done' });
        console.error(
          `Signs in as ${key.name}, once, within ${LINK_MINUTES} minutes (behind a proxy: at its address):`,
        );
        const [here, elsewhere] = urlsOf(HOST, PORT, TLS);
        console.log(signInUrl(here, token));
        if (elsewhere) console.error(`On a phone or another machine: ${signInUrl(elsewhere, token)}`);
        return 0;
      }
      throw new KaomonError('SETUP', USAGE);
    },
    { tellsCause: true },
  );
}

/** `A,B`. An empty list and an empty ID between commas are refused later, by `keys.add`. */
function listOf(value: string): string[] {
  return value.trim() === '' ? [] : value.split(',').map((id) => id.trim());
}

function roleOf(value: string): Role {
  const role = ROLES.find((known) => known === value);
  if (role) return role;
  throw new KaomonError('SETUP', `There is no role "${value}": the roles are ${ROLES.join(', ')}.`);
}
