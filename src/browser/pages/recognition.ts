import { messageOf } from '../lib/api.js';
import { createCameraMenu } from '../lib/camera-menu.js';
import { element } from '../lib/dom.js';
import { openKnownFace, openUnknownFace } from '../lib/face-dialog.js';
import { createFaceList } from '../lib/face-list.js';
import { createFaceStage } from '../lib/face-stage.js';
import { formatNumber, words } from '../lib/i18n.js';
import { composePicture, cropFace, download, nameByTime } from '../lib/picture.js';
import { openPage } from '../lib/shell.js';
import { toast } from '../lib/toast.js';

/** Between two updates of the figures, milliseconds. */
const FIGURES_EVERY = 500;

openPage();

const write = (id: string, text: string) => (element(id, HTMLElement).textContent = text);
const button = (id: string) => element(id, HTMLButtonElement);
const isPressed = (found: HTMLButtonElement) => found.getAttribute('aria-pressed') === 'true';
const press = (found: HTMLButtonElement, on: boolean) => found.setAttribute('aria-pressed', String(on));
const freeze = button('freeze');
const landmarks = button('landmarks');
const mirror = button('mirror');
const fullScreen = button('full-screen');
const theatre = element('theatre', HTMLElement);

const list = createFaceList(element('faces', HTMLUListElement), element('announcer', HTMLElement), choose);
const stage = createFaceStage(element('stage', HTMLElement), {
  onAnswer({ faces }) {
    if (!isPressed(freeze)) list.show(faces, stage.thresholds);
  },
  onNobody: () => list.show([], stage.thresholds),
  onServerInfo: ({ pack }) => write('pack', pack.title),
  onCamera(camera) {
    setFrozen(false);
    press(mirror, camera.mirrored);
    void menu.fill(camera);
  },
  onConnection: (_state, kind) =>
    write('way', kind === 'stream' ? words.wayStream : kind === 'post' ? words.wayPost : '–'),
  onRefused: (error) => toast(messageOf(error), { kind: 'bad' }),
  onChosen: choose,
});
const menu = createCameraMenu(element('camera', HTMLSelectElement), (choice) => stage.choose(choice));

/** Shows who a face is, or offers to enrol an unknown one. */
function choose(track: number): void {
  const face = stage.shown.find((shown) => shown.track === track);
  if (!face) return;
  stage.highlight(track);
  const leave = () => stage.highlight(undefined);
  if (face.identity.faceid !== '') {
    openKnownFace(face, stage.thresholds, leave);
    return;
  }
  cropFace(stage.picture, face.box).then(
    (picture) => openUnknownFace(picture, leave),
    (error: unknown) => toast(messageOf(error), { kind: 'bad' }),
  );
}

function setFrozen(on: boolean): void {
  press(freeze, on);
  stage.freeze(on);
  const label = freeze.querySelector('span');
  if (label) label.textContent = on ? words.unfreeze : words.freeze;
}

freeze.addEventListener('click', () => setFrozen(!isPressed(freeze)));
landmarks.addEventListener('click', () => {
  press(landmarks, !isPressed(landmarks));
  stage.setOptions({ landmarks: isPressed(landmarks) });
});
mirror.addEventListener('click', () => {
  press(mirror, !isPressed(mirror));
  stage.setMirrored(isPressed(mirror));
});
button('save').addEventListener('click', () => {
  composePicture(stage.picture, stage.overlay, stage.mirrored).then(
    (picture) => download(picture, `${nameByTime()}.jpg`),
    (error: unknown) => toast(messageOf(error), { kind: 'bad' }),
  );
});

fullScreen.hidden = !document.fullscreenEnabled;
fullScreen.addEventListener('click', () => {
  void (document.fullscreenElement ? document.exitFullscreen() : theatre.requestFullscreen());
});
document.addEventListener('fullscreenchange', () => {
  const on = document.fullscreenElement !== null;
  press(fullScreen, on);
  const label = fullScreen.querySelector('span');
  if (label) label.textContent = on ? words.leaveFullScreen : words.fullScreen;
});

/** One letter each; they count only while nothing is being typed. */
const KEYS: Partial<Record<string, HTMLButtonElement>> = {
  f: freeze,
  l: landmarks,
  m: mirror,
  s: button('save'),
  w: fullScreen,
};
document.addEventListener('keydown', (event) => {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  const busy =
    typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]');
  if (!busy) KEYS[event.key.toLowerCase()]?.click();
});

function writeFigures(): void {
  const { answersPerSecond, drawsPerSecond, roundTrip, frame } = stage.figures();
  write('rate', words.perSecond(formatNumber(answersPerSecond, 1)));
  write('draws', words.perSecond(formatNumber(drawsPerSecond)));
  write('round-trip', roundTrip === undefined ? '–' : words.milliseconds(Math.round(roundTrip)));
  write('frame-size', frame ? `${frame.width} × ${frame.height}` : '–');
}

window.setInterval(writeFigures, FIGURES_EVERY);
void menu.fill(undefined);
stage.open();
