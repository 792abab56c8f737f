import sharp from 'sharp';
import { CAMERA } from './video.js';

/** A drawn person: no photo of anybody. */
export interface Portrait {
  skin: string;
  hair: string;
  shirt: string;
  /** `short`, `long` or `bun`. */
  style: 'short' | 'long' | 'bun';
}

export const PORTRAITS = {
  hana: { skin: '#f0c8a6', hair: '#2e2320', shirt: '#c8553d', style: 'bun' },
  ken: { skin: '#d9a780', hair: '#1f2330', shirt: '#3a6ea5', style: 'short' },
  emma: { skin: '#f6dcc8', hair: '#d9a441', shirt: '#7a5aa6', style: 'long' },
  mari: { skin: '#f3d2b8', hair: '#7a4a2b', shirt: '#3f7d62', style: 'long' },
  taro: { skin: '#c99a72', hair: '#6b6f78', shirt: '#c08a2b', style: 'short' },
} as const satisfies Record<string, Portrait>;

/** Where a portrait's face lies around its middle, in its own units. */
const FACE = { x: -58, y: -74, width: 116, height: 150 };

/** A place in the scene: middle of the face in parts of the frame, and a size. */
export interface Place {
  portrait: Portrait;
  x: number;
  y: number;
  scale: number;
}

/** The box of a placed face, parts of the frame. */
export function boxOf({ x, y, scale }: Pick<Place, 'x' | 'y' | 'scale'>) {
  return {
    x: x + (FACE.x * scale) / CAMERA.width,
    y: y + (FACE.y * scale) / CAMERA.height,
    width: (FACE.width * scale) / CAMERA.width,
    height: (FACE.height * scale) / CAMERA.height,
  };
}

function drawPerson({ portrait: { skin, hair, shirt, style }, x, y, scale }: Place): string {
  const back =
    style === 'long'
      ? `<path d="M-78 -20C-86 -120 86 -120 78 -20L86 110C50 128 -50 128 -86 110Z" fill="${hair}"/>`
      : style === 'bun'
        ? `<circle cy="-112" r="30" fill="${hair}"/>`
        : '';
  const fringe =
    style === 'short'
      ? 'M-68 -18C-80 -112 -20 -118 8 -110C66 -108 78 -64 68 -16C62 -44 50 -60 40 -66C10 -52 -40 -52 -54 -58C-62 -44 -64 -30 -68 -18Z'
      : 'M-70 -6C-84 -112 84 -112 70 -6C62 -50 30 -70 4 -74C-24 -66 -58 -48 -70 -6Z';
  return `<g transform="translate(${x * CAMERA.width} ${y * CAMERA.height}) scale(${scale})">
    ${back}
    <path d="M-26 60h52v46h-52z" fill="${skin}" style="filter:brightness(.9)"/>
    <path d="M-128 240C-128 130 -70 100 -30 96C-14 116 14 116 30 96C70 100 128 130 128 240Z" fill="${shirt}"/>
    <ellipse cx="-66" cy="4" rx="11" ry="17" fill="${skin}"/><ellipse cx="66" cy="4" rx="11" ry="17" fill="${skin}"/>
    <path d="M-64 -20C-64 -100 64 -100 64 -20C64 40 36 82 0 82C-36 82 -64 40 -64 -20Z" fill="${skin}"/>
    <path d="${fringe}" fill="${hair}"/>
    <g fill="none" stroke="${hair}" stroke-width="5" stroke-linecap="round">
      <path d="M-42 -24q13 -10 27 -3M42 -24q-13 -10 -27 -3"/>
    </g>
    <ellipse cx="-27" cy="-3" rx="6.5" ry="8" fill="#2a1f1c"/><ellipse cx="27" cy="-3" rx="6.5" ry="8" fill="#2a1f1c"/>
    <circle cx="-25" cy="-6" r="2" fill="#fff"/><circle cx="29" cy="-6" r="2" fill="#fff"/>
    <path d="M-2 4q-7 18 -2 22h7" fill="none" stroke="#00000038" stroke-width="4" stroke-linecap="round"/>
    <path d="M-20 46q20 18 40 0" fill="none" stroke="#a8483c" stroke-width="6" stroke-linecap="round"/>
    <circle cx="-42" cy="26" r="10" fill="#e0746033"/><circle cx="42" cy="26" r="10" fill="#e0746033"/>
  </g>`;
}

/** A drawn room with drawn people, as PNG of the camera's size. */
export function drawScene(places: readonly Place[]): Promise<Buffer> {
  const { width, height } = CAMERA;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <defs><linearGradient id="wall" x2="0" y2="1"><stop stop-color="#cfd9df"/><stop offset="1" stop-color="#e8e2d6"/></linearGradient></defs>
    <rect width="100%" height="100%" fill="url(#wall)"/>
    <rect x="36" y="36" width="120" height="150" rx="4" fill="#f7fbff" stroke="#9aa7ad" stroke-width="6"/>
    <path d="M96 36v150M36 110h120" stroke="#9aa7ad" stroke-width="4"/>
    <rect x="500" y="60" width="104" height="8" fill="#8a6f56"/><rect x="512" y="24" width="14" height="36" fill="#b5533c"/>
    <rect x="530" y="30" width="12" height="30" fill="#4c6a88"/><rect x="546" y="20" width="16" height="40" fill="#6f8a5c"/>
    <circle cx="584" cy="46" r="14" fill="#d9b25f"/>
    ${places.map(drawPerson).join('')}
  </svg>`;
  return sharp(Buffer.from(svg)).png().toBuffer();
}

/** The face alone, as the server would keep it. */
export async function drawCrop(portrait: Portrait): Promise<Buffer> {
  const scene = await drawScene([{ portrait, x: 0.5, y: 0.5, scale: 1.4 }]);
  return sharp(scene)
    .extract({ left: CAMERA.width / 2 - 130, top: CAMERA.height / 2 - 150, width: 260, height: 260 })
    .resize(160, 160)
    .png()
    .toBuffer();
}
