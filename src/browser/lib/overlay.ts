import { type Box, fitInside, type Size, toStage } from '../logic/geometry.js';
import { createLabelLayout } from '../logic/label-layout.js';
import type { Thresholds } from '../logic/faces.js';
import type { ShownFace } from '../logic/box-motion.js';
import { contextOf, sizeCanvas } from './dom.js';
import { createLabelPainter, CROWD, type FaceLabel, type LabelLook } from './label-painter.js';

export interface OverlayPicture {
  /** The camera's pixels. */
  width: number;
  height: number;
  mirrored: boolean;
  thresholds: Thresholds | undefined;
  landmarks: boolean;
  /** The track that is pointed at, or whose dialog is open. */
  chosen: number | undefined;
  /** Names large enough for a wall. */
  wall: boolean;
}

function isSame(a: OverlayPicture, b: OverlayPicture): boolean {
  for (const key in a) if (a[key as keyof OverlayPicture] !== b[key as keyof OverlayPicture]) return false;
  return true;
}

/** The outline beneath a box keeps it visible on a bright picture. */
const OUTLINE = 'rgba(12, 15, 22, 0.6)';
const NO_DASH: number[] = [];

/** Draws boxes and labels on a canvas whose transform maps the stage's CSS pixels. */
function createPainter(context: CanvasRenderingContext2D) {
  const layout = createLabelLayout();
  const labels = createLabelPainter(context);
  const drawn: FaceLabel[] = [];
  const look: LabelLook = { width: 0, wall: false, crowd: false, thresholds: undefined };
  const dash = [0, 0];

  function drawBox({ face: box, colour, level, opacity }: FaceLabel, width: number, chosen: boolean): void {
    const stroke = Math.max(1.5, Math.min(Math.max(2.5, width / 260), box.width / 14));
    const round = Math.min(14, box.width / 8);
    dash[0] = stroke * 4;
    dash[1] = stroke * 3;
    context.globalAlpha = opacity;
    context.setLineDash(level === 'unknown' ? dash : NO_DASH);
    for (let pass = 0; pass < 2; pass++) {
      context.strokeStyle = pass === 0 ? OUTLINE : colour;
      context.lineWidth = (chosen ? stroke * 2.2 : stroke) + (pass === 0 ? 2.5 : 0);
      context.beginPath();
      context.roundRect(box.x, box.y, box.width, box.height, round);
      context.stroke();
    }
    context.setLineDash(NO_DASH);
    if (!chosen) return;
    context.fillStyle = 'rgba(255, 255, 255, 0.14)';
    context.fill();
  }

  return {
    /** What was drawn last: tracks and their boxes on the stage. */
    drawn: drawn as readonly FaceLabel[],
    /** @param area the picture's rectangle on the stage @param stage where labels may lie */
    draw(faces: readonly ShownFace[], picture: OverlayPicture, area: Box, stage: Box): void {
      look.width = area.width;
      look.wall = picture.wall;
      look.crowd = faces.length >= CROWD;
      look.thresholds = picture.thresholds;
      context.lineJoin = 'round';
      drawn.length = 0;
      for (const face of faces) {
        const label = labels.of(face, face.box.width * area.width, look);
        toStage(face.box, area, picture.mirrored, label.face);
        drawn.push(label);
        drawBox(label, area.width, face.track === picture.chosen);
        if (picture.landmarks && face.landmarks) {
          drawLandmarks(context, face.landmarks, area, picture.mirrored);
        }
      }
      const places = layout.place(drawn, stage);
      for (let i = 0; i < drawn.length; i++) labels.drawLine(drawn[i], places[i]);
      for (let i = 0; i < drawn.length; i++) labels.draw(drawn[i], places[i]);
      context.globalAlpha = 1;
      labels.forget(drawn);
    },
  };
}

/** Draws boxes and labels over the camera's picture. */
export function createOverlay(canvas: HTMLCanvasElement) {
  const context = contextOf(canvas);
  const painter = createPainter(context);
  const stage: Box = { x: 0, y: 0, width: 0, height: 0 };

  /** Pixels of the screen to one of CSS. */
  let ratio = 1;
  /** As it was drawn last. */
  let last: OverlayPicture | undefined;

  /** Gives the canvas as many pixels as the screen has there. @returns whether it had others */
  function fitToScreen(): boolean {
    stage.width = canvas.clientWidth;
    stage.height = canvas.clientHeight;
    ratio = Math.min(3, window.devicePixelRatio || 1);
    return sizeCanvas(canvas, Math.round(stage.width * ratio), Math.round(stage.height * ratio));
  }

  /** The face under a point of the canvas, in CSS pixels; the smaller one where two overlap. */
  function hit({ offsetX: x, offsetY: y }: MouseEvent): number | undefined {
    const tolerance = 8;
    return painter.drawn
      .filter(
        ({ face }) =>
          x >= face.x - tolerance &&
          x <= face.x + face.width + tolerance &&
          y >= face.y - tolerance &&
          y <= face.y + face.height + tolerance,
      )
      .sort((a, b) => a.face.width - b.face.width)
      .at(0)?.track;
  }

  return {
    /**
     * @param moved whether the faces may differ from those that were drawn last
     * @returns whether it was drawn: a camera that sees nobody for hours costs no battery
     */
    draw(faces: readonly ShownFace[], picture: OverlayPicture, moved: boolean): boolean {
      const isFitted = fitToScreen();
      if (!isFitted && !moved && last && isSame(last, picture)) return false;
      if (last) Object.assign(last, picture);
      else last = { ...picture };
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, stage.width, stage.height);
      painter.draw(faces, picture, fitInside(picture, stage), stage);
      return true;
    },
    /** Tells which face is clicked, and which one the pointer comes over; undefined when it is over none any more. */
    listen({ onChosen, onPointed }: OverlayEvents): void {
      let pointed: number | undefined;
      const point = (track: number | undefined) => {
        if (track === pointed) return;
        pointed = track;
        canvas.classList.toggle('on-face', track !== undefined);
        onPointed(track);
      };
      canvas.addEventListener('click', (event) => {
        const track = hit(event);
        if (track !== undefined) onChosen(track);
      });
      canvas.addEventListener('pointermove', (event) => {
        if (event.pointerType !== 'touch') point(hit(event));
      });
      canvas.addEventListener('pointerleave', () => point(undefined));
    },
    /** How wide the picture is shown, CSS pixels: what is drawn elsewhere then looks the same. */
    shownWidth: (picture: Size): number => fitInside(picture, stage).width,
  };
}

interface OverlayEvents {
  onChosen: (track: number) => void;
  onPointed: (track: number | undefined) => void;
}

/**
 * Draws boxes and labels into a picture, as large as they are on the stage.
 * @param onto a canvas of the picture's size
 * @param shownWidth the picture's width on the stage, CSS pixels
 */
export function drawOnto(
  onto: HTMLCanvasElement,
  faces: readonly ShownFace[],
  picture: OverlayPicture,
  shownWidth: number,
): void {
  const context = contextOf(onto);
  const scale = onto.width / (shownWidth > 0 ? shownWidth : onto.width);
  const area = { x: 0, y: 0, width: onto.width / scale, height: onto.height / scale };
  context.setTransform(scale, 0, 0, scale, 0, 0);
  createPainter(context).draw(faces, picture, area, area);
  context.resetTransform();
}

function drawLandmarks(
  context: CanvasRenderingContext2D,
  points: readonly number[],
  area: Box,
  mirrored: boolean,
): void {
  context.fillStyle = '#6ec6ff';
  for (let i = 0; i + 1 < points.length; i += 2) {
    const x = area.x + (mirrored ? 1 - points[i] : points[i]) * area.width;
    context.beginPath();
    context.arc(x, area.y + points[i + 1] * area.height, Math.max(2.5, area.width / 300), 0, 2 * Math.PI);
    context.fill();
  }
}
