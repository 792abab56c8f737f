import { certaintyOf, nameOf, type Thresholds } from '../logic/faces.js';
import { type Box, fitInside, toStage } from '../logic/geometry.js';
import type { ShownFace } from '../logic/box-motion.js';
import { contextOf } from './dom.js';
import { words } from './i18n.js';

/** The same in the light and the dark theme: behind them is the camera's picture. */
const COLOURS = { sure: '#3ddc97', likely: '#ffc857', unknown: '#f4f6fb', plate: 'rgba(12, 15, 22, 0.86)' };
const FONT = 'system-ui, "Hiragino Sans", "Noto Sans JP", "Yu Gothic UI", sans-serif';

interface OverlayPicture {
  /** The camera's pixels. */
  width: number;
  height: number;
  mirrored: boolean;
  thresholds: Thresholds | undefined;
  landmarks: boolean;
  /** The track whose dialog is open. */
  chosen: number | undefined;
}

/** Draws boxes and labels over the camera's picture. */
export function createOverlay(canvas: HTMLCanvasElement) {
  const context = contextOf(canvas);
  let boxes: { track: number; box: Box }[] = [];

  /** Gives the canvas as many pixels as the screen has there. */
  function fitToScreen(): { width: number; height: number; ratio: number } {
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const pixels = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
    if (canvas.width !== pixels.width || canvas.height !== pixels.height) Object.assign(canvas, pixels);
    return { width, height, ratio };
  }

  return {
    draw(faces: readonly ShownFace[], picture: OverlayPicture): void {
      const stage = fitToScreen();
      context.setTransform(stage.ratio, 0, 0, stage.ratio, 0, 0);
      context.clearRect(0, 0, stage.width, stage.height);
      const area = fitInside(picture, stage);
      boxes = faces.map(({ track, box }) => ({ track, box: toStage(box, area, picture.mirrored) }));
      faces.forEach((face, i) => drawFace(context, face, boxes[i].box, area, picture));
      context.globalAlpha = 1;
    },
    /** The face under a point of the canvas, in CSS pixels; the smaller one where two overlap. */
    hit(x: number, y: number): number | undefined {
      const tolerance = 8;
      return boxes
        .filter(
          ({ box }) =>
            x >= box.x - tolerance &&
            x <= box.x + box.width + tolerance &&
            y >= box.y - tolerance &&
            y <= box.y + box.height + tolerance,
        )
        .sort((a, b) => a.box.width - b.box.width)
        .at(0)?.track;
    },
  };
}

function drawFace(
  context: CanvasRenderingContext2D,
  face: ShownFace,
  box: Box,
  area: Box,
  picture: OverlayPicture,
): void {
  const { level, part } = certaintyOf(face.identity, picture.thresholds);
  const colour = COLOURS[level];
  const stroke = Math.max(2.5, area.width / 260);
  context.globalAlpha = face.opacity;
  context.lineJoin = 'round';
  context.setLineDash(level === 'unknown' ? [stroke * 4, stroke * 3] : []);
  // A dark line beneath keeps the box visible on a bright picture.
  for (const { style, width } of [
    { style: 'rgba(12, 15, 22, 0.6)', width: stroke + 2.5 },
    { style: colour, width: face.track === picture.chosen ? stroke * 1.8 : stroke },
  ]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.roundRect(box.x, box.y, box.width, box.height, Math.min(14, box.width / 8));
    context.stroke();
  }
  context.setLineDash([]);
  if (picture.landmarks && face.landmarks) drawLandmarks(context, face.landmarks, area, picture.mirrored);
  drawLabel(context, face, { box, area, colour, part });
}

function drawLandmarks(
  context: CanvasRenderingContext2D,
  points: readonly number[],
  area: Box,
  mirrored: boolean,
): void {
  context.fillStyle = '#6ec6ff';
  for (let i = 0; i + 1 < points.length; i += 2) {
    const spot = toStage({ x: points[i], y: points[i + 1], width: 0, height: 0 }, area, mirrored);
    context.beginPath();
    context.arc(spot.x, spot.y, Math.max(2.5, area.width / 300), 0, 2 * Math.PI);
    context.fill();
  }
}

interface LabelPlace {
  box: Box;
  area: Box;
  colour: string;
  part: number;
}

function drawLabel(
  context: CanvasRenderingContext2D,
  { identity }: ShownFace,
  { box, area, colour, part }: LabelPlace,
): void {
  const known = identity.faceid !== '';
  const size = Math.max(17, Math.min(44, area.width / 30));
  const small = Math.max(12, size * 0.6);
  const pad = size * 0.4;
  const unknown = identity.reason ? words.unfit[identity.reason] : words.unknown;
  const name = known ? nameOf(identity) : unknown;
  const group = known ? (identity.groupname ?? identity.groupid ?? '') : '';
  const maxWidth = Math.max(area.width * 0.6, box.width);

  context.font = `700 ${size}px ${FONT}`;
  const shownName = shorten(context, name, maxWidth);
  const nameWidth = context.measureText(shownName).width;
  context.font = `500 ${small}px ${FONT}`;
  const shownGroup = shorten(context, group, maxWidth);
  const width = Math.max(nameWidth, context.measureText(shownGroup).width, known ? size * 3 : 0) + pad * 2;
  const height = known ? size * 1.25 + small * 1.3 + pad * 1.5 : size * 1.25 + pad;

  const left = Math.max(area.x, Math.min(box.x + (box.width - width) / 2, area.x + area.width - width));
  const above = box.y - height - 6;
  const below = box.y + box.height + 6;
  const fitsBelow = below + height <= area.y + area.height;
  const top = above >= area.y ? above : fitsBelow ? below : area.y + 4;

  context.fillStyle = COLOURS.plate;
  context.beginPath();
  context.roundRect(left, top, width, height, size * 0.35);
  context.fill();
  context.textBaseline = 'top';
  context.fillStyle = '#ffffff';
  context.font = `700 ${size}px ${FONT}`;
  context.fillText(shownName, left + pad, top + pad * 0.6);
  if (!known) return;
  context.fillStyle = '#d5dbe8';
  context.font = `500 ${small}px ${FONT}`;
  context.fillText(shownGroup, left + pad, top + pad * 0.6 + size * 1.22);
  const bar = { x: left + pad, y: top + height - pad * 0.9, width: width - pad * 2, height: size * 0.16 };
  context.fillStyle = 'rgba(255, 255, 255, 0.22)';
  context.beginPath();
  context.roundRect(bar.x, bar.y, bar.width, bar.height, bar.height / 2);
  context.fill();
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(bar.x, bar.y, bar.width * part, bar.height, bar.height / 2);
  context.fill();
}

/** Cuts a text to a width, with an ellipsis. */
function shorten(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  const characters = Array.from(text);
  while (characters.length > 1 && context.measureText(`${characters.join('')}…`).width > width)
    characters.pop();
  return `${characters.join('')}…`;
}
