import type { Box, Size } from './geometry.js';

/** A face and what is to be written beside it. Pixels of the stage. */
export interface Label {
  /** The same from drawing to drawing while it is the same face. */
  track: number;
  face: Box;
  /** How large the label is, from its best form to its shortest; empty: the face needs none. */
  sizes: readonly Size[];
  /** These are placed first, and others make room for them. */
  first: boolean;
}

/** Where a label lies, pixels of the stage; the layout's own object, overwritten by the next `place`. */
export interface Placement extends Box {
  /** Which of the label's sizes; -1: there is no room for any, and nothing is drawn. */
  form: number;
  /** Whether a line leads from the label to its face: `from` on the label's edge, `to` on the face's. */
  line: boolean;
  fromX: number;
  fromY: number;
  toX: number;
  toY: number;
}

/** Between a label and its face, pixels. */
const GAP = 4;
/** Between two labels. */
const BETWEEN = 2;
/** A label that looks for a place wants this much more room, so that it does not lose it in the next drawing. */
const SLACK = 3;
/** A label changes to a better form only where there is this much more room, so that it does not change to and fro. */
const GROWING = 10;
/** Places that touch the face: above, below, beside. */
const TOUCHING = 12;
/** Farther places lie on rings of this many directions; a line leads to the face. */
const DIRECTIONS = 16;
const RINGS = 5;
const PLACES = TOUCHING + DIRECTIONS * RINGS;

interface Remembered {
  place: number;
  form: number;
  seen: number;
}

/**
 * Places labels so that none lies over a face, over another label or beyond the canvas. A label keeps its place beside its
 * face from drawing to drawing as long as it is free. Where there is no room, it takes a shorter form, then goes
 * farther away with a line to its face, then is left out.
 */
export function createLabelLayout() {
  const remembered = new Map<number, Remembered>();
  const placements: Placement[] = [];
  let drawing = 0;
  let labels: readonly Label[] = [];
  let canvas: Box = { x: 0, y: 0, width: 0, height: 0 };
  /** The place that is looked at. */
  const spot: Placement = empty();

  /** Puts a label's form at a place into `spot`. */
  function putAt({ face, sizes }: Label, place: number, form: number): void {
    const { width, height } = sizes[form];
    spot.width = width;
    spot.height = height;
    spot.line = place >= TOUCHING;
    spot.form = form;
    if (spot.line) {
      putOnRing(face, place - TOUCHING);
      return;
    }
    if (place < 6) {
      // Above (0, 2, 4) and below (1, 3, 5): in the middle, at the left edge, at the right one.
      const along = place < 2 ? 0.5 : place < 4 ? 0 : 1;
      spot.x = clamp(face.x + (face.width - width) * along, canvas.x, canvas.x + canvas.width - width);
      spot.y = place % 2 === 0 ? face.y - GAP - height : face.y + face.height + GAP;
    } else {
      // At the right (6, 8, 10) and at the left: in the middle, at the top, at the bottom.
      const along = place < 8 ? 0.5 : place < 10 ? 0 : 1;
      spot.x = place % 2 === 0 ? face.x + face.width + GAP : face.x - GAP - width;
      spot.y = clamp(face.y + (face.height - height) * along, canvas.y, canvas.y + canvas.height - height);
    }
  }

  function putOnRing(face: Box, index: number): void {
    const angle = ((index % DIRECTIONS) / DIRECTIONS) * 2 * Math.PI - Math.PI / 2;
    const away = GAP + (Math.floor(index / DIRECTIONS) + 0.5) * (spot.height + GAP);
    const middleX = face.x + face.width / 2;
    const middleY = face.y + face.height / 2;
    const x = middleX + Math.cos(angle) * (face.width / 2 + spot.width / 2 + away);
    const y = middleY + Math.sin(angle) * (face.height / 2 + spot.height / 2 + away);
    spot.x = x - spot.width / 2;
    spot.y = y - spot.height / 2;
    spot.fromX = clamp(middleX, spot.x, spot.x + spot.width);
    spot.fromY = clamp(middleY, spot.y, spot.y + spot.height);
    spot.toX = clamp(spot.fromX, face.x, face.x + face.width);
    spot.toY = clamp(spot.fromY, face.y, face.y + face.height);
  }

  /** @param room pixels that must be free around it as well */
  function isFree(own: number, room: number): boolean {
    const right = spot.x + spot.width;
    const bottom = spot.y + spot.height;
    // Half a pixel for the rounding of a place at the very edge.
    if (spot.x < canvas.x - 0.5 || spot.y < canvas.y - 0.5) return false;
    if (right > canvas.x + canvas.width + 0.5 || bottom > canvas.y + canvas.height + 0.5) return false;
    for (let i = 0; i < labels.length; i++) {
      const { face } = labels[i];
      // A place beside the own face touches it by design.
      if (overlaps(spot, face, i === own ? 0 : Math.min(room, GAP))) return false;
      if (spot.line && i !== own && crosses(spot, face)) return false;
      const other = placements[i];
      if (i === own || other.form < 0) continue;
      if (overlaps(spot, other, BETWEEN + room)) return false;
      if (spot.line && crosses(spot, other)) return false;
      if (other.line && crosses(other, spot)) return false;
    }
    return true;
  }

  function take(index: number, place: number): void {
    Object.assign(placements[index], spot);
    const { track } = labels[index];
    const known = remembered.get(track);
    if (known) Object.assign(known, { place, form: spot.form, seen: drawing });
    else remembered.set(track, { place, form: spot.form, seen: drawing });
  }

  function tryPlace(index: number, place: number, form: number, room: number): boolean {
    putAt(labels[index], place, form);
    if (!isFree(index, room)) return false;
    take(index, place);
    return true;
  }

  /** Leaves a label where it was in the drawing before. */
  function keep(index: number): boolean {
    const { track, sizes } = labels[index];
    const known = remembered.get(track);
    return known !== undefined && known.form < sizes.length && tryPlace(index, known.place, known.form, 0);
  }

  /** Looks for a place that touches the face in the best form that fits, then for one farther away in the short forms. */
  function find(index: number): void {
    const { sizes } = labels[index];
    for (let form = 0; form < sizes.length; form++) {
      for (let place = 0; place < TOUCHING; place++) if (tryPlace(index, place, form, SLACK)) return;
    }
    const first = Math.min(1, sizes.length - 1);
    for (let form = Math.max(0, first); form < sizes.length; form++) {
      for (let place = TOUCHING; place < PLACES; place++) if (tryPlace(index, place, form, SLACK)) return;
    }
  }

  /** Lets a kept label take a better form, or come back to its face, where there is ample room. */
  function improve(index: number): void {
    const now = placements[index];
    const { form: old, line } = now;
    if (old === 0 && !line) return;
    const better = line ? labels[index].sizes.length : old;
    now.form = -1;
    for (let form = 0; form < better; form++) {
      for (let place = 0; place < TOUCHING; place++) if (tryPlace(index, place, form, GROWING)) return;
    }
    now.form = old;
  }

  function placeAll(first: boolean): void {
    for (let i = 0; i < labels.length; i++)
      if (labels[i].first === first) placements[i].form = keep(i) ? placements[i].form : -1;
    for (let i = 0; i < labels.length; i++) {
      if (labels[i].first !== first) continue;
      if (placements[i].form >= 0) improve(i);
      else find(i);
    }
  }

  return {
    /**
     * @param all every face, with or without a label
     * @param area where labels may lie
     * @returns the places, in the order of the labels; valid until the next call
     */
    place(all: readonly Label[], area: Box): readonly Placement[] {
      labels = all;
      canvas = area;
      drawing += 1;
      while (placements.length < all.length) placements.push(empty());
      for (let i = 0; i < all.length; i++) placements[i].form = -1;
      placeAll(true);
      placeAll(false);
      for (const [track, { seen }] of remembered) if (seen !== drawing) remembered.delete(track);
      return placements;
    },
  };
}

function empty(): Placement {
  return { x: 0, y: 0, width: 0, height: 0, form: -1, line: false, fromX: 0, fromY: 0, toX: 0, toY: 0 };
}

const clamp = (value: number, from: number, to: number) =>
  Math.max(from, Math.min(Math.max(from, to), value));

/** Whether two rectangles come nearer than `room`. */
function overlaps(a: Box, b: Box, room: number): boolean {
  return (
    a.x < b.x + b.width + room &&
    b.x < a.x + a.width + room &&
    a.y < b.y + b.height + room &&
    b.y < a.y + a.height + room
  );
}

/** Whether a label's line goes through a rectangle: the part of the line within it is cut out, side by side (Liang-Barsky). */
function crosses({ fromX, fromY, toX, toY }: Placement, box: Box): boolean {
  const dx = toX - fromX;
  const dy = toY - fromY;
  let enter = 0;
  let leave = 1;
  for (let side = 0; side < 4; side++) {
    const step = side === 0 ? -dx : side === 1 ? dx : side === 2 ? -dy : dy;
    const room =
      side === 0
        ? fromX - box.x
        : side === 1
          ? box.x + box.width - fromX
          : side === 2
            ? fromY - box.y
            : box.y + box.height - fromY;
    if (step === 0) {
      if (room < 0) return false;
    } else if (step < 0) {
      enter = Math.max(enter, room / step);
    } else {
      leave = Math.min(leave, room / step);
    }
  }
  return enter < leave;
}
