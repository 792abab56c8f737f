import qrcode from 'qrcode';
import { LINK_MINUTES } from './access/links.js';
import { signInUrl } from './platform/addresses.js';
import type { GalleryInfo } from './gallery/types.js';
import type { ReadyPack } from './models/types.js';
import { VERSION } from './platform/version.js';

export interface BannerFacts {
  pack: Pick<ReadyPack, 'title'>;
  gallery: Pick<GalleryInfo, 'people' | 'snapshot'>;
  /** This machine's own address first. */
  urls: readonly string[];
  /** The certificate was made by this server. */
  selfSigned: boolean;
  asksForKey: boolean;
  /** The address that signs in as administrator, until somebody has used it. */
  link?: string | undefined;
  /** A token of its own for a phone. */
  phoneToken?: string | undefined;
}

/** What a person at the terminal reads when the server is ready, with a QR code for a phone. */
export async function banner(facts: BannerFacts): Promise<string> {
  const { pack, gallery, urls, selfSigned, asksForKey, link, phoneToken } = facts;
  const [, ...forOthers] = urls;
  const phone = forOthers.at(0);
  const { people, snapshot } = gallery;
  const recall = snapshot && `${(snapshot.recall * 100).toFixed(1)} %`;
  const mapped = snapshot ? `, from snapshot ${snapshot.number} (recall ${recall})` : '';
  const lines = [
    '',
    `  Kaomon ${VERSION}: ${pack.title}, ${people} enrolled${mapped}`,
    '',
    ...urls.map((url) => `  ${url}/`),
    '',
  ];
  if (link) {
    lines.push(`  Sign in as administrator: ${link}`);
    lines.push(`  This works once, within ${LINK_MINUTES} minutes. Later: npx kaomon keys link`, '');
  } else if (asksForKey) {
    lines.push('  To sign in: a key, or the address that `npx kaomon keys link` prints.', '');
  }
  if (selfSigned) {
    lines.push(
      '  The certificate was made on this machine: the browser warns once; proceed to the page.',
      '',
    );
  }
  if (phone) {
    const address = phoneToken ? signInUrl(phone, phoneToken) : `${phone}/`;
    const code = await qrcode.toString(address, { type: 'terminal', small: true });
    lines.push(`  For a phone on the same network (${phone}):`, code.trimEnd(), '');
  }
  lines.push('  Press Ctrl+C to stop the server.', '');
  return lines.join('\n');
}
