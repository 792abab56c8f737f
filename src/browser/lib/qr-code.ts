import { create } from 'qrcode';
import { QUIET_ZONE, qrPath } from '../logic/qr-path.js';

const SVG = 'http://www.w3.org/2000/svg';

/** A text as a QR code. @param label what a screen reader says in its place */
export function drawQrCode(text: string, label: string): SVGSVGElement {
  const { modules } = create(text, { errorCorrectionLevel: 'M' });
  const side = modules.size + 2 * QUIET_ZONE;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${side} ${side}`);
  svg.setAttribute('class', 'qr');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  svg.setAttribute('shape-rendering', 'crispEdges');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', qrPath(modules));
  svg.append(path);
  return svg;
}
