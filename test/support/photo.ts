import path from 'node:path';
import sharp from 'sharp';
import { PROJECT_ROOT } from '../../src/root.js';

/** A photo of four people that comes with face-api: real faces wherever the project is installed. */
export const PHOTO = path.join(
  PROJECT_ROOT,
  ...['node_modules', '@vladmandic', 'face-api', 'demo', 'sample6.jpg'],
);

/** Where two of them are in it. */
const PEOPLE = {
  left: { left: 100, top: 350, width: 500, height: 550 },
  right: { left: 1370, top: 160, width: 500, height: 520 },
};

/** One of them alone. @param width pixels that it is enlarged to */
export function portraitOf(who: keyof typeof PEOPLE, width = 500): Promise<Buffer> {
  return sharp(PHOTO).extract(PEOPLE[who]).resize(width).jpeg({ quality: 95 }).toBuffer();
}
