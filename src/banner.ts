import qrcode from 'qrcode';
import type { GalleryInfo } from './gallery/types.js';
import type { ReadyPack } from './models/types.js';
import { VERSION } from './version.js';

export interface BannerFacts {
  pack: Pick<ReadyPack, 'title'>;
  gallery: Pick<GalleryInfo, 'people'>;
  /** This machine's own address first. */
  urls: readonly string[];
  /** The certificate is of our own making. */
  selfSigned: boolean;
  /** The administrator's key, when this start made it. */
  firstKey?: string | undefined;
}

/** What a person at the terminal reads when the server is ready, with a QR code for a phone. */
export async function banner({ pack, gallery, urls, selfSigned, firstKey }: BannerFacts): Promise<string> {
  const [, ...forOthers] = urls;
  const phone = forOthers.at(0);
  const lines = [
    '',
    `  Kaomon ${VERSION}: ${pack.title}, ${gallery.people} enrolled`,
    '',
    ...urls.map((url) => `  ${url}/`),
    '',
  ];
  const signIn = firstKey ? `signin#key=${firstKey}` : '';
  if (signIn) {
    lines.push(`  Sign in as administrator: ${urls[0]}/${signIn}`);
    lines.push('  The key is shown this once; `kaomon keys add` makes others.', '');
  }
  if (selfSigned) {
    lines.push('  The certificate was made on this machine: the browser warns once; go on to the page.', '');
  }
  if (phone) {
    lines.push(`  For a phone in the same network (${phone}):`);
    lines.push(
      (await qrcode.toString(`${phone}/${signIn}`, { type: 'terminal', small: true })).trimEnd(),
      '',
    );
  }
  lines.push('  Ctrl+C ends the server.', '');
  return lines.join('\n');
}
