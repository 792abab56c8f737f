import { certaintyOf, nameOf, type Thresholds } from '../logic/faces.js';
import type { Box, Size } from '../logic/geometry.js';
import type { Label, Placement } from '../logic/label-layout.js';
import type { ShownFace } from '../logic/box-motion.js';
import { words } from './i18n.js';

/** The same in the light and the dark theme: behind them is the camera's picture. */
export const COLOURS = {
  sure: '#3ddc97',
  likely: '#ffc857',
  unknown: '#f4f6fb',
  plate: 'rgba(12, 15, 22, 0.86)',
};
const FAMILY = 'system-ui, "Hiragino Sans", "Noto Sans JP", "Yu Gothic UI", sans-serif';
const font = (weight: number, size: number) => `${weight} ${size}px ${FAMILY}`;

/** From this many faces on, labels show the name only. */
export const CROWD = 7;
/** Longest texts, in ems: the rest is cut. */
const LONGEST = { few: 12, crowd: 7 };
/** Texts are measured at this size, and their widths scaled: sizes change while somebody comes nearer. */
const MEASURED_AT = 100;
/** So many texts are remembered. */
const REMEMBERED = 600;

export interface LabelLook {
  /** The picture's width on the stage, CSS pixels. */
  width: number;
  /** Large, to be read from five metres. */
  wall: boolean;
  /** More than a few faces. */
  crowd: boolean;
  thresholds: Thresholds | undefined;
}

/** One way to write a label. */
interface Form {
  full: boolean;
  /** Font size, CSS pixels. */
  size: number;
}

/** A face's label, kept from drawing to drawing. */
export interface FaceLabel extends Label {
  face: Box;
  sizes: Size[];
  first: boolean;
  forms: Form[];
  name: string;
  group: string;
  colour: string;
  part: number;
  opacity: number;
  level: keyof typeof COLOURS;
  /** What the sizes were worked out for. */
  size: number;
  least: number;
}

/** Sizes and draws the labels of faces. */
export function createLabelPainter(context: CanvasRenderingContext2D) {
  const labels = new Map<number, FaceLabel>();
  const widths = new Map<string, number>();
  const cuts = new Map<string, string>();

  /** Ems. */
  function widthOf(text: string, weight: number): number {
    const key = `${weight}${text}`;
    let width = widths.get(key);
    if (width === undefined) {
      if (widths.size > REMEMBERED) widths.clear();
      context.font = font(weight, MEASURED_AT);
      width = context.measureText(text).width / MEASURED_AT;
      widths.set(key, width);
    }
    return width;
  }

  /** Cuts a text to a width, with an ellipsis. */
  function shorten(text: string, weight: number, ems: number): string {
    if (widthOf(text, weight) <= ems) return text;
    const key = `${ems} ${weight}${text}`;
    let cut = cuts.get(key);
    if (cut === undefined) {
      if (cuts.size > REMEMBERED) cuts.clear();
      const characters = Array.from(text);
      while (characters.length > 1 && widthOf(`${characters.join('')}…`, weight) > ems) characters.pop();
      cut = `${characters.join('')}…`;
      cuts.set(key, cut);
    }
    return cut;
  }

  function sizeOf(label: FaceLabel, { full, size }: Form): Size {
    const pad = padOf(full, size);
    const name = widthOf(label.name, 700) * size;
    if (!full) return { width: name + pad * 2, height: size * 1.2 + pad };
    const small = smallOf(size);
    const group = widthOf(label.group, 500) * small;
    return {
      width: Math.max(name, group, size * 3) + pad * 2,
      height: size * 1.25 + small * 1.3 + pad * 1.5,
    };
  }

  return {
    /**
     * The label of a face, sized to its box.
     * @returns the painter's own object, good until the next call for the same track; its `face` is the caller's to fill
     */
    of({ track, identity, opacity }: ShownFace, boxWidth: number, look: LabelLook): FaceLabel {
      let label = labels.get(track);
      if (!label) {
        label = blank(track);
        labels.set(track, label);
      }
      const { level, part } = certaintyOf(identity, look.thresholds);
      const known = identity.faceid !== '';
      const longest = look.crowd ? LONGEST.crowd : LONGEST.few;
      const unknown = identity.reason ? words.unfit[identity.reason] : words.unknown;
      // Without the bar it is a question mark that tells "probably" from "certain", not the colour alone.
      const said = !known
        ? unknown
        : look.crowd && level === 'likely'
          ? words.perhaps(nameOf(identity))
          : nameOf(identity);
      const name = shorten(said, 700, longest);
      const group =
        known && !look.crowd ? shorten(identity.groupname ?? identity.groupid ?? '', 500, longest * 1.4) : '';
      Object.assign(label, { colour: COLOURS[level], part, opacity, level, first: known });
      const { size, least } = fontSizes(boxWidth, look);
      const full = known && !look.crowd;
      const isSame =
        label.name === name &&
        label.group === group &&
        label.least === least &&
        label.forms[0]?.full === full;
      // A box that trembles does not make its label tremble.
      if (isSame && Math.abs(size - label.size) <= label.size * 0.08) return label;
      Object.assign(label, { name, group, size, least });
      label.forms = [...(full ? [{ full, size }] : []), { full: false, size }];
      if (size > least * 1.15) label.forms.push({ full: false, size: least });
      label.sizes = label.forms.map((form) => sizeOf(label, form));
      return label;
    },

    draw(label: FaceLabel, place: Placement): void {
      if (place.form < 0) return;
      const { full, size } = label.forms[place.form];
      const pad = padOf(full, size);
      context.globalAlpha = label.opacity;
      context.fillStyle = COLOURS.plate;
      context.beginPath();
      context.roundRect(place.x, place.y, place.width, place.height, size * 0.35);
      context.fill();
      context.textBaseline = full ? 'top' : 'middle';
      context.fillStyle = '#ffffff';
      context.font = font(700, size);
      const top = full ? place.y + pad * 0.6 : place.y + place.height / 2 + size * 0.05;
      context.fillText(label.name, place.x + pad, top);
      if (full) drawFacts(context, label, place, size);
    },

    /** The line from a label that lies farther away to its face. */
    drawLine(label: FaceLabel, { form, line, fromX, fromY, toX, toY }: Placement): void {
      if (form < 0 || !line) return;
      context.globalAlpha = label.opacity;
      for (const thick of [true, false]) {
        context.strokeStyle = thick ? COLOURS.plate : label.colour;
        context.lineWidth = thick ? 3.5 : 1.5;
        context.beginPath();
        context.moveTo(fromX, fromY);
        context.lineTo(toX, toY);
        context.stroke();
      }
    },

    /** Forgets faces that are no longer drawn. */
    forget(drawn: readonly FaceLabel[]): void {
      if (labels.size <= drawn.length) return;
      for (const [track, label] of labels) if (!drawn.includes(label)) labels.delete(track);
    },
  };
}

const smallOf = (size: number) => Math.max(11, size * 0.6);
const padOf = (full: boolean, size: number) => size * (full ? 0.4 : 0.32);

/** How large the letters are: to the face's size, within what can be read. */
function fontSizes(boxWidth: number, { width, wall, crowd }: LabelLook): { size: number; least: number } {
  const most = wall ? clamp(width / 24, 28, 110) : clamp(width / 30, 17, 44);
  // A capital letter of a 250th of the distance can be read: 20 mm at five metres, 28 pixels on a screen of 55 inches.
  const least = wall ? clamp(width / (crowd ? 60 : 42), 20, 60) : crowd ? 12 : clamp(width / 44, 13, 24);
  return { size: Math.round(clamp(boxWidth / 4, least, most)), least: Math.round(least) };
}

const clamp = (value: number, from: number, to: number) => Math.max(from, Math.min(to, value));

/** The group, and the bar that shows how sure it is. */
function drawFacts(
  context: CanvasRenderingContext2D,
  { group, colour, part }: FaceLabel,
  { x, y, width, height }: Box,
  size: number,
): void {
  const pad = padOf(true, size);
  context.fillStyle = '#d5dbe8';
  context.font = font(500, smallOf(size));
  context.fillText(group, x + pad, y + pad * 0.6 + size * 1.22);
  const bar = size * 0.16;
  const length = width - pad * 2;
  for (const [style, share] of [
    ['rgba(255, 255, 255, 0.22)', 1],
    [colour, part],
  ] as const) {
    context.fillStyle = style;
    context.beginPath();
    context.roundRect(x + pad, y + height - pad * 0.9, length * share, bar, bar / 2);
    context.fill();
  }
}

function blank(track: number): FaceLabel {
  return {
    track,
    face: { x: 0, y: 0, width: 0, height: 0 },
    sizes: [],
    first: false,
    forms: [],
    name: '',
    group: '',
    colour: COLOURS.unknown,
    part: 0,
    opacity: 0,
    level: 'unknown',
    size: 0,
    least: 0,
  };
}
