import { type Box, fitInside, type Size, toStage } from '../logic/geometry.js';
import { type Pose, POSES } from '../logic/poses.js';
import { make } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';
/** The oval around a face, in units of the drawing. */
const OVAL = { width: 100, height: 130 };
const CENTRE = { x: OVAL.width / 2, y: OVAL.height / 2 };
/** Of the oval's height: how much of it a face's box takes. */
const FACE = 0.72;
/** Where the segment of each pose lies, degrees clockwise from the top; straight ahead has the one at the chin. */
const AT: Record<Pose, number> = { up: 0, right: 90, straight: 180, left: 270 };
/** A segment's length, degrees: a quarter, less the gaps. */
const LENGTH = 76;
/** Where the oval stands while there is no face: fractions of the picture. */
const NOBODY: Box = { x: 0.36, y: 0.2, width: 0.28, height: 0.56 };

function pointAt(degrees: number, inset = 0): string {
  const angle = ((degrees - 90) * Math.PI) / 180;
  const x = CENTRE.x + Math.cos(angle) * (OVAL.width / 2 - inset);
  const y = CENTRE.y + Math.sin(angle) * (OVAL.height / 2 - inset);
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}

function drawPath(d: string, className: string): SVGPathElement {
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', d);
  path.setAttribute('vector-effect', 'non-scaling-stroke');
  path.setAttribute('class', className);
  return path;
}

/** The oval over the picture, whose ring fills by a segment for each pose. It follows the face. */
export function createPoseRing(stage: HTMLElement) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${OVAL.width} ${OVAL.height}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'oval');
  const segments = new Map<Pose, SVGGElement>();
  for (const pose of POSES) {
    const from = pointAt(AT[pose] - LENGTH / 2);
    const to = pointAt(AT[pose] + LENGTH / 2);
    const arc = `M${from}A${OVAL.width / 2} ${OVAL.height / 2} 0 0 1 ${to}`;
    const [x, y] = pointAt(AT[pose], 9).split(' ').map(Number);
    const tick = `M${x - 4} ${y}l3 3.500l5.500 -7`;
    const group = document.createElementNS(SVG, 'g');
    group.append(drawPath(arc, 'under'), drawPath(arc, 'arc'), drawPath(tick, 'tick'));
    segments.set(pose, group);
    svg.append(group);
  }
  const root = make('div', { className: 'oval-layer', hidden: true, ariaHidden: 'true' });
  root.append(svg);
  stage.append(root);

  return {
    /** @param on whether the oval is shown */
    show(on: boolean): void {
      root.hidden = !on;
    },
    /** @param box the face, fractions of the picture; undefined when nobody is there */
    follow(box: Box | undefined, picture: Size, mirrored: boolean): void {
      const area = fitInside(picture, { width: root.clientWidth, height: root.clientHeight });
      const face = toStage(box ?? NOBODY, area, mirrored);
      const scale = Math.max(face.height, face.width * 1.2) / FACE / OVAL.height;
      const left = face.x + face.width / 2 - CENTRE.x * scale;
      // A box ends at the chin and begins at the brow: the head reaches higher.
      const top = face.y + face.height * 0.47 - CENTRE.y * scale;
      svg.style.transform = `translate(${left.toFixed(1)}px, ${top.toFixed(1)}px) scale(${scale.toFixed(3)})`;
    },
    /**
     * @param filled poses whose picture was taken
     * @param mirrored as in a mirror the person's left is on the left
     */
    fill(filled: ReadonlySet<Pose>, wanted: Pose | undefined, mirrored: boolean): void {
      const swap = (pose: Pose): Pose =>
        mirrored || (pose !== 'left' && pose !== 'right') ? pose : pose === 'left' ? 'right' : 'left';
      for (const pose of POSES) {
        const state = filled.has(pose) ? 'filled' : pose === wanted ? 'wanted' : 'open';
        segments.get(swap(pose))?.setAttribute('data-state', state);
      }
    },
  };
}
